package client

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/el-tor/tops/internal/experience"
	"github.com/el-tor/tops/internal/path"
	"github.com/el-tor/tops/policies"
)

// offerLocked is what a relay asks, from what the directory has, within the policy.
// known is false for one that the user named and that publishes nothing.
func (c *Client) offerLocked(relay string) (t policies.Terms, known bool, err error) {
	r, ok := c.relays.consensus.Relay(relay)
	if !ok || len(r.Addrs) == 0 {
		return t, false, fmt.Errorf("relay %s is not in the consensus", relay)
	}
	at, publishes := c.relays.terms[relay]
	switch {
	case !publishes:
		return t, false, nil
	case at.err != nil:
		return at.Terms, true, at.err
	}
	if err = checkGateway(at.Terms, r.Addrs[0].Addr()); err == nil {
		err = c.checkPolicy(at.Terms)
	}
	return at.Terms, true, err
}

// Relays lists the relays that can be paid, with their terms: those that the user
// named, else every relay of the consensus that publishes some.
func (c *Client) Relays(ctx context.Context) ([]policies.Terms, error) {
	if c.native != nil {
		return c.native.relays(ctx)
	}
	c.relays.mu.Lock()
	defer c.relays.mu.Unlock()
	if err := c.relays.refreshLocked(ctx, c.tor); err != nil {
		return nil, err
	}
	var list []policies.Terms
	for _, relay := range c.payableLocked() {
		if t, known, err := c.offerLocked(relay); err == nil && known {
			list = append(list, t)
		}
	}
	return list, nil
}

// RelayStatus is a relay that asks to be paid, as its user sees it.
type RelayStatus struct {
	Relay       string           `json:"relay"` // fingerprint
	Nickname    string           `json:"nickname,omitempty"`
	Terms       string           `json:"terms,omitempty"`    // the canonical line
	RateMsat    int64            `json:"rate_msat"`          // of a round
	Interval    float64          `json:"interval_sec"`       // of it
	TotalMsat   int64            `json:"total_msat"`         // of a pay stream, the opening fee not included
	FeeMsat     int64            `json:"fee_msat"`           // at most, for opening one
	HourMsat    int64            `json:"hour_msat"`          // all of it, by the hour
	Flags       []string         `json:"flags"`              // the consensus'
	BandwidthKB int64            `json:"bandwidth_kb"`       // a second, as the consensus has it
	Experience  experience.Score `json:"experience"`         // what this client has seen of it
	Weight      float64          `json:"experience_weight"`  // which counts so much: 1 for nothing seen
	Share       float64          `json:"share"`              // its chance to be the next circuit's exit
	Unusable    string           `json:"unusable,omitempty"` // why it has none
}

// price fills in what a relay asks.
func (st *RelayStatus) price(t policies.Terms) {
	st.Terms, st.RateMsat, st.Interval = t.String(), t.RateMsat, t.Interval.Seconds()
	st.TotalMsat, st.FeeMsat, st.HourMsat = t.Schedule().TotalMsat(), t.FeeMsat, int64(hourly(t))
}

// RelayList lists the relays that ask to be paid, the likeliest first, and with those
// that this client would not pay.
func (c *Client) RelayList(ctx context.Context) ([]RelayStatus, error) {
	if c.native != nil {
		return c.native.relayList(ctx)
	}
	c.relays.mu.Lock()
	defer c.relays.mu.Unlock()
	chooser, err := c.chooserLocked(ctx)
	if err != nil {
		return nil, err
	}
	judge, shares, avoid := c.book.Judge(), chooser.Shares(), c.failedLately()
	list := []RelayStatus{}
	for _, relay := range c.payableLocked() {
		r, _ := chooser.Relay(relay)
		t, known, err := c.offerLocked(relay)
		st := RelayStatus{
			Relay: relay, Nickname: r.Nickname, Flags: r.Flags, BandwidthKB: r.Bandwidth,
			Experience: c.book.Score(relay), Weight: judge(relay), Share: shares[relay],
		}
		if known && t.Relay != "" {
			st.price(t)
		}
		if err != nil {
			st.Unusable = err.Error()
		} else {
			st.Unusable = chooser.Unfit(path.Exit{Fingerprint: relay, Named: len(c.cfg.Client.Relays) > 0}, avoid)
		}
		list = append(list, st)
	}
	slices.SortStableFunc(list, func(a, b RelayStatus) int { return cmp.Compare(b.Share, a.Share) })
	return list, nil
}
