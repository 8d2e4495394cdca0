package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/el-tor/tops/internal/config"
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
// reads the access profiles again. An error leaves what it is about as it was.
func (a *App) Reload(ctx context.Context, next *config.Config) (r Reloaded, err error) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	if a.policy != nil {
		if err := a.policy.Reload(); err != nil {
			return r, fmt.Errorf("access policy: %w", err)
		}
		r.Profiles = a.policy.Set().Names()
	}
	if (a.cfg.Client == nil) != (next.Client == nil) {
		r.Restart = append(r.Restart, "client")
	}
	if (a.cfg.Relay == nil) != (next.Relay == nil) {
		r.Restart = append(r.Restart, "relay")
	}
	for _, k := range config.Keys() {
		was, ok := k.Value(a.cfg)
		if now, there := k.Value(next); !ok || !there || config.TOML(now) == a.holds(k.Name, was) {
			continue
		}
		if reloadable[k.Name] {
			r.Changed = append(r.Changed, k.Name)
		} else {
			r.Restart = append(r.Restart, k.Name)
		}
	}
	if a.client != nil && next.Client != nil {
		a.client.SetBudget(next.Client, a.accounts())
	}
	relays := slices.ContainsFunc(r.Changed, func(key string) bool { return strings.HasPrefix(key, "relay.") })
	if relays && a.relay != nil && next.Relay != nil {
		commit, err := a.relay.PrepareTerms(ctx, next.Relay.Terms(a.relay.Terms()))
		if err == nil {
			err = commit(ctx)
		}
		if err != nil {
			return r, fmt.Errorf("relay: %w", err)
		}
	}
	for _, key := range r.Changed {
		for _, k := range config.Keys() {
			if k.Name == key {
				now, _ := k.Value(next)
				a.reloaded[key] = config.TOML(now)
			}
		}
	}
	return r, nil
}

// holds is the value that is in force: what was reloaded, or what tops began with.
func (a *App) holds(key string, began any) string {
	if v, ok := a.reloaded[key]; ok {
		return v
	}
	return config.TOML(began)
}
