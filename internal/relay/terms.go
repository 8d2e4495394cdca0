package relay

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/policies"
)

// Terms are those of the configuration for this relay, without a descriptor.
func (id Identity) Terms(cfg *config.Relay) policies.Terms {
	return cfg.Terms(policies.DefaultTerms(id.Fingerprint, policies.Descriptor{}, netip.AddrPortFrom(id.Addr, cfg.Port)))
}

// OfferPrefix begins the description of every offer of a relay, named by its
// fingerprint, those of former terms included. Relays may share a node.
func OfferPrefix(fingerprint string) string { return "TOPS relay " + fingerprint }

// OfferDescription is the description of the offer for a set of terms, which have
// no descriptor yet: equal offers of one node are one offer, so each relay, and
// each set of terms, has another.
func OfferDescription(t policies.Terms) string { return OfferPrefix(t.Relay) + " " + t.ContactWords() }

// Descriptor is what a relay publishes for being paid: its offer, or the name or address
// that stands for it in the configuration.
func Descriptor(cfg *config.Relay, offer string) policies.Descriptor {
	switch {
	case cfg.LightningAddress != "":
		return policies.Descriptor{Kind: policies.LightningAddress, Value: cfg.LightningAddress}
	case cfg.BIP353 != "":
		return policies.Descriptor{Kind: policies.BIP353, Value: cfg.BIP353}
	}
	return policies.Descriptor{Kind: policies.Offer, Value: offer}
}

// ConfiguredTerms are those that the configuration asks for, without a descriptor.
func (r *Relay) ConfiguredTerms() policies.Terms { return r.me.Load().Terms(r.cfg.Relay) }

// offer completes terms with the node's offer, of which there is one for each set
// of terms and relay: equal offers of one node are one offer, and several relays
// may share a node. From then on the offers of all terms so far are this relay's:
// pay streams go on under the terms that they began with.
func (r *Relay) offer(ctx context.Context, t policies.Terms) (policies.Terms, error) {
	r.offering.Lock()
	defer r.offering.Unlock()
	t.Descriptor = policies.Descriptor{}
	var err error
	if r.fork.Is() {
		if t, err = nativeTerms(t); err != nil {
			return t, err
		}
	}
	offer, err := r.cfg.Node.Offer(ctx, OfferDescription(t))
	if err != nil {
		return t, fmt.Errorf("make an offer: %w", err)
	}
	r.newest = offer
	t.Descriptor = Descriptor(r.cfg.Relay, offer)
	if name := r.cfg.Relay.BIP353; name != "" {
		if err := r.checkName(ctx, name, offer); err != nil {
			return t, err
		}
	}
	if err := t.Validate(); err != nil {
		return t, fmt.Errorf("these terms cannot be offered: %w", err)
	}
	offers, err := r.cfg.Node.Offers(ctx, OfferPrefix(t.Relay))
	if err != nil {
		return t, fmt.Errorf("list this relay's offers: %w", err)
	}
	ids := make([]string, len(offers))
	for i, o := range offers {
		ids[i] = o.ID
	}
	r.offers.Store(&ids)
	return t, nil
}

// checkName refuses a BIP 353 name that leads elsewhere than to the offer: what is paid
// there would be nobody's. That it cannot be resolved now is only told.
func (r *Relay) checkName(ctx context.Context, name, offer string) error {
	found, err := r.cfg.Node.Resolve(ctx, name)
	switch {
	case err != nil:
		r.failed(fmt.Errorf("relay.bip353: %s cannot be resolved by the node just now: %w", name, err))
	case found != offer:
		return fmt.Errorf("relay.bip353: %s leads to another offer: put this one for these terms into its DNS record: %s", name, offer)
	}
	return nil
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
		r.feeMsat.Store(t.FeeMsat)
		if err := r.publish(ctx); err != nil {
			r.feeMsat.Store(before.FeeMsat)
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
	return r.settings.Set(ctx, r.options()...)
}
