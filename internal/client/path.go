package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/el-tor/tops/policies"
)

// node is a relay of the consensus.
type node struct {
	fingerprint string
	flags       []string
}

func (n node) is(flag string) bool { return slices.Contains(n.flags, flag) }

// consensus lists the relays that tor knows (GETINFO ns/all, dir-spec §3.4.1).
func (c *Client) consensus(ctx context.Context) ([]node, error) {
	text, err := c.tor.Info(ctx, "ns/all")
	if err != nil {
		return nil, err
	}
	var nodes []node
	for line := range strings.Lines(text) {
		switch words := strings.Fields(line); {
		case len(words) == 9 && words[0] == "r":
			fp, err := fingerprintOf(words[2])
			if err != nil {
				return nil, err
			}
			nodes = append(nodes, node{fingerprint: fp})
		case len(words) > 0 && words[0] == "s" && len(nodes) > 0:
			nodes[len(nodes)-1].flags = words[1:]
		}
	}
	return nodes, nil
}

// ChoosePath picks a path as for an app's connection.
func (c *Client) ChoosePath(ctx context.Context) ([]string, error) {
	if c.native != nil {
		return c.native.choosePath(ctx)
	}
	return c.choosePath(ctx, pathRequest{})
}

// A pathRequest says what a path is for.
type pathRequest struct {
	Exclude []string // exits that will not do, by fingerprint: those that have just failed
	Port    uint16   // where the connection goes: tor's LongLivedPorts need stable relays; 0: anywhere
}

// PaidRelays are the terms of the relays that ask to be paid and that the policy
// accepts: of those that the user named, or else of all.
func (c *Client) PaidRelays(ctx context.Context) ([]policies.Terms, error) {
	if c.native != nil {
		return c.Relays(ctx)
	}
	nodes, err := c.consensus(ctx)
	if err != nil {
		return nil, err
	}
	var out []policies.Terms
	for _, fp := range c.candidates(nodes) {
		if t, err := c.RelayTerms(ctx, fp); err == nil {
			out = append(out, t)
		}
	}
	return out, nil
}

// choosePath picks three relays: an exit that is paid, a guard, and one between.
func (c *Client) choosePath(ctx context.Context, r pathRequest) ([]string, error) {
	nodes, err := c.consensus(ctx)
	if err != nil {
		return nil, err
	}
	exit, err := c.chooseExit(ctx, nodes, r)
	if err != nil {
		return nil, err
	}
	guard, err := c.chooseGuard(ctx, nodes, exit)
	if err != nil {
		return nil, err
	}
	var middles []string
	for _, n := range nodes {
		if n.is("Running") && n.is("Valid") && n.fingerprint != exit && n.fingerprint != guard {
			middles = append(middles, n.fingerprint)
		}
	}
	if len(middles) == 0 {
		return nil, errors.New("tor knows no third relay for a circuit")
	}
	return []string{guard, middles[rand.IntN(len(middles))], exit}, nil
}

// candidates are the exits that may be paid.
func (c *Client) candidates(nodes []node) []string {
	if len(c.cfg.Client.Relays) > 0 {
		return c.cfg.Client.Relays
	}
	var all []string
	for _, n := range nodes {
		if n.is("Running") && n.is("Valid") {
			all = append(all, n.fingerprint)
		}
	}
	return all
}

// chooseExit picks the cheapest relay whose terms the policy accepts, among those
// that the user named or else all that publish terms.
func (c *Client) chooseExit(ctx context.Context, nodes []node, r pathRequest) (string, error) {
	best, price, last := "", int64(0), policies.ErrNoTerms
	for _, fp := range c.candidates(nodes) {
		if slices.Contains(r.Exclude, fp) {
			continue
		}
		t, known, err := c.terms(ctx, fp)
		switch {
		case err != nil:
			last = err
		case !known && best == "":
			best, price = fp, 1<<62
		case known && (best == "" || t.Schedule().TotalMsat() < price):
			best, price = fp, t.Schedule().TotalMsat()
		}
	}
	if best == "" {
		return "", fmt.Errorf("no relay can be paid: %w", last)
	}
	return best, nil
}

// chooseGuard picks the first hop: the user's, else tor's own first choice, so
// that nobody sees more of this client than tor would let him.
func (c *Client) chooseGuard(ctx context.Context, nodes []node, exit string) (string, error) {
	candidates := c.cfg.Client.Guards
	if len(candidates) == 0 {
		var err error
		if candidates, err = c.entryGuards(ctx); err != nil {
			return "", err
		}
	}
	for _, fp := range candidates {
		known := slices.ContainsFunc(nodes, func(n node) bool { return n.fingerprint == fp && n.is("Running") })
		if fp != exit && known {
			return fp, nil
		}
	}
	return "", errors.New("tor has no guard that is up and is not the exit")
}

// entryGuards are the guards that tor has chosen and that may be up, in its order.
func (c *Client) entryGuards(ctx context.Context) (guards []string, err error) {
	text, err := c.tor.Info(ctx, "entry-guards")
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) >= 2 && (words[1] == "up" || words[1] == "never-connected") {
			fp, _, _ := strings.Cut(strings.TrimPrefix(words[0], "$"), "~")
			guards = append(guards, fp)
		}
	}
	return guards, err
}
