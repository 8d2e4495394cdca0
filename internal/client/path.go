package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/el-tor/tops/internal/path"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// ChoosePath picks a path as for an app's connection.
func (c *Client) ChoosePath(ctx context.Context) ([]string, error) {
	if c.native != nil {
		return c.native.choosePath(ctx)
	}
	p, err := c.choosePath(ctx, path.Request{})
	return p.Hops, err
}

// choosePath picks a guard, a middle relay, and an exit that is paid.
func (c *Client) choosePath(ctx context.Context, r path.Request) (path.Path, error) {
	c.relays.mu.Lock()
	defer c.relays.mu.Unlock()
	chooser, err := c.chooserLocked(ctx)
	if err != nil {
		return path.Path{}, err
	}
	p, err := chooser.Choose(r)
	if errors.Is(err, path.ErrNoExit) {
		err = c.noExitLocked(err)
	}
	return p, err
}

// noExitLocked is why nobody can be paid: what the policy has against the last relay,
// if there is one, or that none asks.
func (c *Client) noExitLocked(err error) error {
	for _, relay := range c.payableLocked() {
		var no *paystream.Refusal
		if _, _, oerr := c.offerLocked(relay); errors.As(oerr, &no) {
			return &paystream.Refusal{Reason: no.Reason, Err: fmt.Errorf("%w: %w", err, no.Err)}
		}
	}
	return unusable(err)
}

// chooserLocked gathers what paths are chosen by, as it is now: the consensus, tor's
// options and guards, and the relays that can be paid.
func (c *Client) chooserLocked(ctx context.Context) (*path.Chooser, error) {
	if err := c.relays.refreshLocked(ctx, c.tor); err != nil {
		return nil, err
	}
	conf, err := c.tor.Conf(ctx, append(path.Options(), "UseBridges", "UseMicrodescriptors")...)
	if err != nil {
		return nil, err
	}
	rules, err := path.ParseRules(conf)
	if err != nil {
		return nil, err
	}
	country := func(a netip.Addr) string { return c.relays.countryLocked(ctx, c.tor, a) }
	guards, err := c.guards(ctx, c.relays.consensus, rules, country)
	if err != nil {
		return nil, err
	}
	if bridges := strings.Join(conf["usebridges"], "") == "1"; bridges && len(c.cfg.Client.Guards) == 0 {
		rules.Entry = path.Set{} // tor has no EntryNodes then
		if guards, err = c.bridges(ctx); err != nil {
			return nil, err
		}
	}
	micro := strings.Join(conf["usemicrodescriptors"], "") != "0"
	return &path.Chooser{
		Consensus: c.relays.consensus, Rules: rules, Guards: guards, Exits: c.exitsLocked(), Thrift: c.cfg.Client.Thrift,
		Family:  func(relay string) (path.Family, error) { return c.relays.familyLocked(ctx, c.tor, relay, micro) },
		Country: country,
		Random:  rand.Float64,
	}, nil
}

// lasting reports whether a connection to a port needs stable relays.
func (c *Client) lasting(ctx context.Context, port uint16) bool {
	conf, err := c.tor.Conf(ctx, "LongLivedPorts")
	if err != nil {
		return false
	}
	rules, err := path.ParseRules(conf)
	return err == nil && rules.LongLived(port)
}

// exitsLocked are the relays that can be paid, as the policy has it: those that the
// user named, or else all that publish terms.
func (c *Client) exitsLocked() (exits []path.Exit) {
	judge := c.book.Judge()
	for _, relay := range c.payableLocked() {
		t, known, err := c.offerLocked(relay)
		if err != nil {
			continue
		}
		x := path.Exit{Fingerprint: relay, Experience: judge(relay), Named: len(c.cfg.Client.Relays) > 0}
		if known {
			x.Price = hourly(t)
		}
		exits = append(exits, x)
	}
	return exits
}

// payableLocked are the relays that may be asked for, or publish, terms.
func (c *Client) payableLocked() []string {
	if len(c.cfg.Client.Relays) > 0 {
		return c.cfg.Client.Relays
	}
	var all []string
	for _, r := range c.relays.consensus.Relays { // in an order that stays
		if _, publishes := c.relays.terms[r.Fingerprint]; publishes {
			all = append(all, r.Fingerprint)
		}
	}
	return all
}

// hourly is what a relay asks for an hour, in msat.
func hourly(t policies.Terms) float64 {
	span := time.Duration(t.Rounds) * t.Interval
	return float64(t.FeeMsat+t.Schedule().TotalMsat()) * float64(time.Hour) / float64(span)
}

// guards are the first hops in the order of choice: the user's, or tor's own, and then
// those of EntryNodes: tor makes its guards of them when it needs one.
func (c *Client) guards(ctx context.Context, consensus *path.Consensus, rules path.Rules, country func(netip.Addr) string) ([]path.Guard, error) {
	names := c.cfg.Client.Guards
	named := len(names) > 0
	if !named {
		var err error
		if names, err = c.tor.EntryGuards(ctx); err != nil {
			return nil, err
		}
	}
	var guards []path.Guard
	for _, fp := range names {
		if r, ok := consensus.Relay(fp); ok && r.Is("Running") {
			guards = append(guards, path.Guard{Relay: r, Named: named})
		}
	}
	if named {
		return guards, nil
	}
	for _, r := range consensus.Relays {
		if r.Is("Guard") && r.Is("Running") && rules.Enters(r, country) && !slices.Contains(names, r.Fingerprint) {
			guards = append(guards, path.Guard{Relay: r})
		}
	}
	return guards, nil
}

// bridges are the first hops of a user who has bridges; no consensus has them.
func (c *Client) bridges(ctx context.Context) ([]path.Guard, error) {
	names, err := c.tor.EntryGuards(ctx)
	if err != nil {
		return nil, err
	}
	text, err := c.tor.Info(ctx, "ns/purpose/bridge")
	if err != nil {
		return nil, err
	}
	known, err := path.ParseConsensus(text)
	if err != nil {
		return nil, err
	}
	var guards []path.Guard
	for _, fp := range names {
		if r, ok := known.Relay(fp); ok {
			guards = append(guards, path.Guard{Relay: r})
		}
	}
	return guards, nil
}
