package relay

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// tidyNodeEvery is how often the node is tidied, the first time soon after the start.
const tidyNodeEvery = 10 * time.Minute

// keepHouse takes out of the node what nothing lives by any more, until ctx ends.
func (r *Relay) keepHouse(ctx context.Context) error {
	tick := time.NewTicker(tidyNodeEvery)
	defer tick.Stop()
	var from uint64
	for {
		r.disableOffers(ctx)
		from = r.sweep(ctx, from)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// disableOffers disables this relay's offers of former terms, once no pay stream goes
// by them and nobody may bring money for them any more.
func (r *Relay) disableOffers(ctx context.Context) {
	r.offering.Lock() // none is between its making and its terms' being in force
	defer r.offering.Unlock()
	offers, err := r.cfg.Node.Offers(ctx, OfferPrefix(r.me.Load().Fingerprint))
	if err != nil {
		return // the node is away, which is told elsewhere
	}
	needed := neededOffers(r.TermsInUse(), r.newest)
	for _, o := range offers {
		if !o.Active || needed(o) {
			continue
		}
		if err := r.cfg.Node.DisableOffer(ctx, o.ID); err != nil && ctx.Err() == nil {
			r.failed(fmt.Errorf("disable an offer of former terms: %w", err))
		}
	}
}

// neededOffers tells the offers that terms name. Those of a Lightning Address do not
// name theirs, which has their description.
func neededOffers(terms []policies.Terms, newest string) func(cln.Offer) bool {
	texts, descriptions := []string{newest}, []string{}
	for _, t := range terms {
		if t.Descriptor.Kind == policies.Offer {
			texts = append(texts, t.Descriptor.Value)
			continue
		}
		t.Descriptor = policies.Descriptor{}
		descriptions = append(descriptions, OfferDescription(t))
	}
	return func(o cln.Offer) bool {
		return slices.Contains(texts, o.Bolt12) || slices.Contains(descriptions, o.Description)
	}
}

// sweep deletes this relay's expired invoices, of which every request leaves one, and
// returns where to go on the next time. The node is never kept busy with it.
func (r *Relay) sweep(ctx context.Context, from uint64) uint64 {
	pause := time.NewTicker(100 * time.Millisecond)
	defer pause.Stop()
	for {
		next, _, err := r.cfg.Node.Sweep(ctx, from, r.isOurs)
		if err != nil || next == from {
			return next
		}
		from = next
		select {
		case <-ctx.Done():
			return from
		case <-pause.C:
		}
	}
}

// isOurs tells this relay's invoices: those to its offers, and plain ones that its
// gateway or its Lightning Address made. Relays may share a node.
func (r *Relay) isOurs(inv cln.Invoice) bool {
	if inv.OfferID != "" {
		return slices.Contains(*r.offers.Load(), inv.OfferID)
	}
	note, n, _ := strings.Cut(inv.Label, "-")
	if _, err := paystream.ParseRoundID(note); err != nil || n == "" {
		return false
	}
	return r.isOursPlain(inv.Description)
}

// isOursPlain tells the plain invoices of this relay by their description.
func (r *Relay) isOursPlain(description string) bool {
	return description == paystream.InvoiceDescription(r.Terms()) ||
		r.cfg.Relay.LightningAddress != "" && description == r.address().metadata()
}
