package client

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// defaultPort is a gateway's, where a relay publishes none.
const defaultPort = 9402

// terms reads what a relay asks, within the policy.
func (c *Client) terms(ctx context.Context, fingerprint string) (t policies.Terms, known bool, err error) {
	t, known, err = c.publishedTerms(ctx, fingerprint)
	if err == nil && known {
		err = c.checkPolicy(t)
	}
	return t, known, err
}

// publishedTerms reads what a relay asks, from its signed descriptor. known is
// false for a relay that publishes none but that the user named: its gateway is
// asked then, once a circuit leads there.
func (c *Client) publishedTerms(ctx context.Context, fingerprint string) (t policies.Terms, known bool, err error) {
	addr, err := c.tor.RelayAddress(ctx, fingerprint)
	if errors.Is(err, tor.ErrNoRelay) {
		return t, false, unusable(err)
	}
	if err != nil {
		return t, false, err
	}
	contact, err := c.tor.Contact(ctx, fingerprint)
	if err == nil {
		t, err = policies.ParseContact(contact, fingerprint)
	}
	switch {
	case err == nil:
		return t, true, checkGateway(t, addr)
	case errors.Is(err, policies.ErrNoTerms) || errors.Is(err, tor.ErrNoDescriptor):
		if slices.Contains(c.cfg.Client.Relays, fingerprint) {
			t.Relay, t.Gateway = fingerprint, netip.AddrPortFrom(addr, defaultPort)
			return t, false, nil
		}
		return t, false, unusable(fmt.Errorf("relay %s: %w", fingerprint, err))
	default:
		return t, false, unusable(fmt.Errorf("terms of relay %s: %w", fingerprint, err))
	}
}

// unusable is what becomes of a circuit whose exit's terms are none, or no good.
func unusable(err error) error { return &paystream.Refusal{Reason: paystream.ReasonTerms, Err: err} }

// checkGateway refuses a gateway that is not the relay's own: who publishes
// another's address would send us there.
func checkGateway(t policies.Terms, addr netip.Addr) error {
	if t.Gateway.Addr() != addr {
		return unusable(fmt.Errorf("relay %s: its terms name a gateway at %s, but the relay is at %s", t.Relay, t.Gateway.Addr(), addr))
	}
	return nil
}

// acceptable refuses terms under which a circuit cannot be paid by whoever pays it.
func (c *Client) acceptable(ctx context.Context, t policies.Terms, controller string, self *SelfPaid) error {
	if self != nil {
		return self.fits(t)
	}
	if err := c.checkPolicy(t); err != nil {
		return err
	}
	return c.checkMoney(ctx, t, controller)
}

// checkPolicy refuses terms beyond the policy.
func (c *Client) checkPolicy(t policies.Terms) error {
	if err := c.policy.Check(t); err != nil {
		return &paystream.Refusal{Reason: paystream.ReasonPolicy, Err: err}
	}
	return nil
}

// checkMoney refuses terms whose payments nobody could ask for, and those for
// which the budget has no room.
func (c *Client) checkMoney(ctx context.Context, t policies.Terms, controller string) error {
	if c.cfg.Payable != nil {
		// A node that is away now may be back when something is due.
		if err := c.cfg.Payable(ctx, t.Descriptor); errors.Is(err, paystream.ErrRefused) {
			return unusable(fmt.Errorf("relay %s cannot be paid by what its terms name: %w", t.Relay, err))
		}
	}
	s := t.Schedule()
	first := s.PriceMsat(s.FirstPriced())
	need := max(firstHour(t), first+c.policy.RoutingCapMsat(first)) // what is held for the first round
	if err := c.budget.room(c.cfg.Now(), controller, need); err != nil {
		return &paystream.Refusal{Reason: paystream.ReasonBudget, Err: err}
	}
	return nil
}

// firstHour is what a pay stream costs at most in an hour, which is as far ahead as
// the shortest of the budget's windows reaches.
func firstHour(t policies.Terms) int64 {
	s := t.Schedule()
	last := min(t.Rounds, max(s.FirstPriced(), int(time.Hour/t.Interval)))
	return t.FeeMsat + s.ThroughMsat(last)
}

// RelayTerms are what a relay publishes, within the policy.
func (c *Client) RelayTerms(ctx context.Context, fingerprint string) (policies.Terms, error) {
	if c.native != nil {
		t, paid, err := c.native.terms(ctx, fingerprint)
		if err == nil && !paid {
			err = unusable(fmt.Errorf("relay %s: %w", fingerprint, eltor.ErrFree))
		}
		return t, err
	}
	t, known, err := c.terms(ctx, fingerprint)
	if err == nil && !known {
		err = unusable(fmt.Errorf("relay %s: %w", fingerprint, policies.ErrNoTerms))
	}
	return t, err
}

// PaidCircuit is what is known of a paid circuit: the exit's terms, and whether
// the exit is one for everybody too (it has the Exit flag).
func (c *Client) PaidCircuit(id string) (hop int, terms policies.Terms, exit, ok bool) {
	if c.native != nil {
		return 0, policies.Terms{}, true, false // no stream needs a gateway
	}
	c.mu.Lock()
	p := c.paid[id]
	c.mu.Unlock()
	if p == nil {
		return 0, policies.Terms{}, false, false
	}
	select {
	case <-p.ready: // the terms may change until then
	default:
		return 0, policies.Terms{}, p.exit, false
	}
	return len(p.path), p.terms, p.exit, true
}

// exitFlag reports whether anybody may use the relay as an exit.
func (c *Client) exitFlag(ctx context.Context, fingerprint string) (bool, error) {
	text, err := c.tor.Info(ctx, "ns/id/"+fingerprint)
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 0 && words[0] == "s" {
			return slices.Contains(words, "Exit"), nil
		}
	}
	return false, nil
}
