package cln

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Offer returns the offer that has this description: found again, switched on again, or made now. Two sets of terms have
// two descriptions; one that holds the relay's fingerprint is the relay's alone, even where relays share a node.
//
// A node that nobody can connect to puts blinded paths into its offers, other ones each time. So an offer is looked for
// first, and made anew when none of its paths begins at a peer that the node still has a channel with.
func (r *Receiver) Offer(ctx context.Context, description string) (Offer, error) {
	if strings.ContainsFunc(description, func(c rune) bool { return c < ' ' || c == '"' || c == '\\' }) {
		return Offer{}, errors.New("an offer's description has no control characters, quotes or backslashes")
	}
	if err := r.canFront(ctx); err != nil {
		return Offer{}, err
	}
	all, err := r.Offers(ctx, description)
	if err != nil {
		return Offer{}, err
	}
	slices.SortStableFunc(all, func(a, b Offer) int { // active ones first: terms stay as they are
		switch {
		case a.Active == b.Active:
			return 0
		case a.Active:
			return -1
		}
		return 1
	})
	for _, o := range all {
		if o.Description != description {
			continue
		}
		leads, err := r.leadsHere(ctx, o)
		if err != nil {
			return Offer{}, unavailable(err)
		}
		if !leads {
			continue
		}
		if !o.Active {
			if err := r.c.EnableOffer(ctx, o.ID); err != nil && !HasCode(err, CodeOfferActive) {
				return Offer{}, unavailable(err)
			}
			o.Active = true
		}
		return o, nil
	}
	o, err := r.c.MakeOffer(ctx, description, r.fronts...)
	o.Description = description
	return o, unavailable(err)
}

// leadsHere reports whether one who has an offer finds the way to the node: by its key, or by a path over a peer.
func (r *Receiver) leadsHere(ctx context.Context, o Offer) (bool, error) {
	d, err := r.c.Decode(ctx, o.Bolt12)
	if err != nil {
		return false, err
	}
	if len(r.fronts) > 0 && !beginsAt(d.OfferPaths, r.fronts) {
		return false, nil
	}
	if len(d.OfferPaths) == 0 {
		return true, nil
	}
	channels, err := r.c.ListChannels(ctx)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(d.OfferPaths, func(p OfferPath) bool {
		return p.FirstNodeID == "" || // a channel stands for it
			slices.ContainsFunc(channels, func(c Channel) bool { return c.PeerID == p.FirstNodeID })
	}), nil
}

// Resolve has the node find the offer behind a BIP 353 name.
func (r *Receiver) Resolve(ctx context.Context, name string) (offer string, err error) {
	offer, err = r.c.FetchBIP353(ctx, name)
	return offer, unavailable(err)
}

// beginsAt reports whether an offer's paths begin at these nodes, at all of them and no other.
func beginsAt(paths []OfferPath, fronts []string) bool {
	for _, p := range paths {
		if !slices.Contains(fronts, p.FirstNodeID) {
			return false
		}
	}
	for _, f := range fronts {
		if !slices.ContainsFunc(paths, func(p OfferPath) bool { return p.FirstNodeID == f }) {
			return false
		}
	}
	return true
}

// canFront refuses fronting nodes that the node cannot be reached through, or does not know what to do with.
func (r *Receiver) canFront(ctx context.Context) error {
	if len(r.fronts) == 0 {
		return nil
	}
	usage, err := r.c.usage(ctx, "offer")
	if err != nil {
		return unavailable(err)
	}
	if !slices.Contains(usage, "[fronting_nodes]") {
		return errors.New("fronting nodes: this node's offers cannot begin at a peer, which takes Core Lightning 26.04 or newer")
	}
	channels, err := r.c.ListChannels(ctx)
	if err != nil {
		return unavailable(err)
	}
	for _, f := range r.fronts {
		if !slices.ContainsFunc(channels, func(c Channel) bool { return c.PeerID == f }) {
			return fmt.Errorf("fronting nodes: the node has no channel with %.16q…", f)
		}
	}
	return nil
}

// Offers lists the node's offers whose description begins with prefix, disabled
// ones included. listoffers shows descriptions since 26.04; before that each offer
// has to be decoded.
func (r *Receiver) Offers(ctx context.Context, prefix string) (list []Offer, err error) {
	all, err := r.c.ListOffers(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	for _, o := range all {
		if o.Description == "" {
			d, err := r.c.Decode(ctx, o.Bolt12)
			if err != nil {
				return nil, unavailable(err)
			}
			o.Description = d.OfferDescription
		}
		if strings.HasPrefix(o.Description, prefix) {
			list = append(list, o)
		}
	}
	return list, nil
}

// DisableOffer lets nobody ask for invoices under an offer any more, and invoices that were given out for it fail.
func (r *Receiver) DisableOffer(ctx context.Context, id string) error {
	err := r.c.DisableOffer(ctx, id)
	if HasCode(err, CodeOfferInactive) {
		return nil
	}
	return unavailable(err)
}
