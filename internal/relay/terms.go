package relay

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/el-tor/tops/policies"
)

// ConfiguredTerms are those that the configuration asks for, without a descriptor.
func (r *Relay) ConfiguredTerms() policies.Terms {
	t := policies.DefaultTerms(r.self.fingerprint, policies.Descriptor{}, netip.AddrPortFrom(r.self.addr, r.cfg.Relay.Port))
	return r.cfg.Relay.Terms(t)
}

// offer completes terms with the node's offer, of which there is one for each set
// of terms and relay: equal offers of one node are one offer, and several relays
// may share a node. From then on the offers of all terms so far are this relay's:
// pay streams go on under the terms that they began with.
func (r *Relay) offer(ctx context.Context, t policies.Terms) (policies.Terms, error) {
	t.Descriptor = policies.Descriptor{}
	prefix := "TOPS relay " + t.Relay
	offer, err := r.cfg.Node.Offer(ctx, prefix+" "+t.ContactWords())
	if err != nil {
		return t, fmt.Errorf("make an offer: %w", err)
	}
	t.Descriptor = policies.Descriptor{Kind: policies.Offer, Value: offer}
	if address := r.cfg.Relay.LightningAddress; address != "" {
		t.Descriptor = policies.Descriptor{Kind: policies.LightningAddress, Value: address}
	}
	if err := t.Validate(); err != nil {
		return t, fmt.Errorf("these terms cannot be offered: %w", err)
	}
	offers, err := r.cfg.Node.OfferIDs(ctx, prefix)
	if err != nil {
		return t, fmt.Errorf("list this relay's offers: %w", err)
	}
	r.offers.Store(&offers)
	return t, nil
}

// PrepareTerms makes everything ready for terms with t's prices and times, and
// returns what puts them in force: for pay streams that are opened from then on,
// and in what tor publishes. Without that call nothing has changed.
func (r *Relay) PrepareTerms(ctx context.Context, t policies.Terms) (commit func(context.Context) error, err error) {
	if t, err = r.offer(ctx, t); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		before := r.Terms()
		if err := r.SetTerms(ctx, t); err != nil {
			return fmt.Errorf("change the terms: %w", err)
		}
		if err := r.publish(ctx); err != nil {
			if back := r.SetTerms(ctx, before); back != nil {
				return fmt.Errorf("publish the terms: %w; and the former ones could not be put back: %w", err, back)
			}
			return fmt.Errorf("publish the terms: %w", err)
		}
		return nil
	}, nil
}

// publish gives tor what belongs to the terms in force.
func (r *Relay) publish(ctx context.Context) error {
	return r.settings.Set(ctx, Options(r.Terms(), r.own, r.self.wasExit)...)
}
