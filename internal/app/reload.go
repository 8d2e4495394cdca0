package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/policies/access"
)

// reloadable are the keys that can be changed while tops runs. Prices hold for pay
// streams that are opened from then on, budgets at once.
var reloadable = map[string]bool{
	"client.hour_msat": true, "client.day_msat": true, "client.total_msat": true, "client.controller_msat": true,
	"relay.rate_msat": true, "relay.interval": true, "relay.rounds": true, "relay.free_rounds": true, "relay.free_bytes": true,
	"relay.round_bytes": true, "relay.final_msat": true, "relay.fee_msat": true, "relay.grace": true, "relay.prepay": true,
}

// Reloaded says what came of a reload.
type Reloaded struct {
	Changed  []string // keys that hold from now on
	Restart  []string // keys that differ, and take a new start
	Profiles []string // access profiles in force, if there are any
}

// Reload takes over what of a configuration can be changed while tops runs, and
// reads the access profiles again, with their budgets: all or nothing.
func (a *App) Reload(ctx context.Context, next *config.Config) (r Reloaded, err error) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	r.Changed, r.Restart = a.differs(next)
	var profiles *access.Set
	if a.policy != nil {
		if profiles, err = a.policy.Read(); err != nil {
			return Reloaded{}, fmt.Errorf("access policy: %w", err)
		}
		r.Profiles = profiles.Names()
	}
	relays := slices.ContainsFunc(r.Changed, func(key string) bool { return strings.HasPrefix(key, "relay.") })
	if relays && a.relay != nil && next.Relay != nil {
		commit, err := a.relay.PrepareTerms(ctx, next.Relay.Terms(a.relay.Terms()))
		if err == nil {
			err = commit(ctx)
		}
		if err != nil {
			return Reloaded{}, fmt.Errorf("relay: %w", err)
		}
		a.options.Reloaded(next.Relay)
	}
	// Nothing fails from here on.
	if profiles != nil {
		a.policy.Use(profiles)
	}
	if a.client != nil && next.Client != nil {
		a.client.SetBudget(next.Client, a.accounts())
	}
	for _, k := range config.Keys() {
		if slices.Contains(r.Changed, k.Name) {
			now, _ := k.Value(next)
			a.reloaded[k.Name] = config.TOML(now)
		}
	}
	return r, nil
}

// differs names the keys of next that are not as they are in force: those that can
// be reloaded, and those that cannot.
func (a *App) differs(next *config.Config) (changed, restart []string) {
	if (a.cfg.Client == nil) != (next.Client == nil) {
		restart = append(restart, "client")
	}
	if (a.cfg.Relay == nil) != (next.Relay == nil) {
		restart = append(restart, "relay")
	}
	for _, k := range config.Keys() {
		was, ok := k.Value(a.cfg)
		if now, there := k.Value(next); !ok || !there || config.TOML(now) == a.holds(k.Name, was) {
			continue
		}
		if reloadable[k.Name] {
			changed = append(changed, k.Name)
		} else {
			restart = append(restart, k.Name)
		}
	}
	return changed, restart
}

// holds is the value that is in force: what was reloaded, or what tops began with.
func (a *App) holds(key string, began any) string {
	if v, ok := a.reloaded[key]; ok {
		return v
	}
	return config.TOML(began)
}
