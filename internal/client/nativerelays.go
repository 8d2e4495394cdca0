package client

import (
	"context"
	"slices"
	"strings"

	"github.com/el-tor/tops/internal/path"
	"github.com/el-tor/tops/policies"
)

// usable lists what every relay asks that runs and can be paid; of one that asks
// nothing the terms are empty. last is why one is not among them.
func (n *native) usable(ctx context.Context, nodes []path.Relay) (asks map[string]policies.Terms, last error) {
	asks = make(map[string]policies.Terms)
	for _, r := range nodes {
		if !r.Is("Running") || !r.Is("Valid") {
			continue
		}
		t, _, err := n.terms(ctx, r.Fingerprint)
		if err == nil {
			err = n.c.checkPolicy(t)
		}
		if err != nil {
			last = err
			continue
		}
		asks[r.Fingerprint] = t
	}
	return asks, last
}

// consensus lists the relays that tor knows.
func (c *Client) consensus(ctx context.Context) ([]path.Relay, error) {
	c.relays.mu.Lock()
	defer c.relays.mu.Unlock()
	if err := c.relays.consensusLocked(ctx, c.tor); err != nil {
		return nil, err
	}
	return c.relays.consensus.Relays, nil
}

// relays lists the terms of the relays that ask for money and can be paid.
func (n *native) relays(ctx context.Context) (list []policies.Terms, err error) {
	nodes, err := n.c.consensus(ctx)
	if err != nil {
		return nil, err
	}
	asks, _ := n.usable(ctx, nodes)
	for _, t := range asks {
		if t.Relay != "" {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b policies.Terms) int { return strings.Compare(a.Relay, b.Relay) })
	return list, nil
}

// relayList is the same for people. Paths are drawn by chance here: nobody has a share.
func (n *native) relayList(ctx context.Context) ([]RelayStatus, error) {
	terms, err := n.relays(ctx)
	if err != nil {
		return nil, err
	}
	n.c.relays.mu.Lock()
	defer n.c.relays.mu.Unlock()
	list := []RelayStatus{}
	for _, t := range terms {
		r, _ := n.c.relays.consensus.Relay(t.Relay)
		st := RelayStatus{Relay: t.Relay, Nickname: r.Nickname, Flags: r.Flags, BandwidthKB: r.Bandwidth, Experience: n.c.book.Score(t.Relay), Weight: 1}
		st.price(t)
		list = append(list, st)
	}
	return list, nil
}
