package client

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/policies"
)

// defaultPort is a gateway's, where a relay publishes none.
const defaultPort = 9402

// terms reads what a relay asks, from its signed descriptor. known is false for
// a relay that publishes none but that the user named: its gateway is asked then,
// once a circuit leads there.
func (c *Client) terms(ctx context.Context, fingerprint string) (t policies.Terms, known bool, err error) {
	addr, err := c.tor.RelayAddress(ctx, fingerprint)
	if err != nil {
		return t, false, err
	}
	contact, err := c.tor.Contact(ctx, fingerprint)
	if err == nil {
		t, err = policies.ParseContact(contact, fingerprint)
	}
	switch {
	case err == nil:
		return t, true, c.checkTerms(t, addr)
	case errors.Is(err, policies.ErrNoTerms) || errors.Is(err, tor.ErrNoDescriptor):
		if slices.Contains(c.cfg.Client.Relays, fingerprint) {
			t.Relay, t.Gateway = fingerprint, netip.AddrPortFrom(addr, defaultPort)
			return t, false, nil
		}
		return t, false, fmt.Errorf("relay %s: %w", fingerprint, err)
	default:
		return t, false, fmt.Errorf("terms of relay %s: %w", fingerprint, err)
	}
}

// checkTerms refuses terms beyond the policy, and a gateway that is not the
// relay's own: who publishes another's address would send us there.
func (c *Client) checkTerms(t policies.Terms, addr netip.Addr) error {
	if t.Gateway.Addr() != addr {
		return fmt.Errorf("relay %s: its terms name a gateway at %s, but the relay is at %s", t.Relay, t.Gateway.Addr(), addr)
	}
	return c.policy.Check(t)
}

// RelayTerms are what a relay publishes, within the policy.
func (c *Client) RelayTerms(ctx context.Context, fingerprint string) (policies.Terms, error) {
	t, known, err := c.terms(ctx, fingerprint)
	if err == nil && !known {
		err = fmt.Errorf("relay %s: %w", fingerprint, policies.ErrNoTerms)
	}
	return t, err
}
