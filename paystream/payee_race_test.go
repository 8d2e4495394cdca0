package paystream_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal"
	"github.com/el-tor/tops/policies"
	"golang.org/x/sync/errgroup"
)

// Everything at once, on the real clock, for long enough that rounds end, some
// are cut and some are continued: for the race detector above all.
func TestPayeeFromManyGoroutines(t *testing.T) {
	terms := relayTerms(func(t *policies.Terms) {
		t.Interval, t.Grace, t.Rounds, t.Prepay = time.Second, time.Second, 2, 2
	})
	node, journal := newFakeNode(), memjournal.New()
	p := paystream.NewPayee(paystream.PayeeConfig{Terms: terms, Carrier: newFakeCarrier(), Receiver: node, Journal: journal,
		Ours: func(id string) bool { return id == ourOffer }, Now: time.Now})
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	if err := p.Recover(ctx); err != nil {
		t.Fatal(err)
	}
	var g errgroup.Group
	g.Go(func() error { return p.Run(ctx) })
	for range 8 {
		g.Go(func() error { return crowd(ctx, p, node, terms) })
	}
	g.Go(func() error { // the operator
		for n := 0; ctx.Err() == nil; n++ {
			next := terms
			next.RateMsat += int64(n % 2)
			if err := errors.Join(p.SetTerms(ctx, next), p.Checkpoint(ctx)); err != nil && ctx.Err() == nil {
				return err
			}
			p.PayStreams()
			node.mu.Lock()
			batch := node.paid[:node.delivered]
			node.mu.Unlock()
			if err := p.Deliver(ctx, batch); err != nil && ctx.Err() == nil {
				return err
			}
		}
		return nil
	})
	if err := g.Wait(); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
	booked, over := make(map[paystream.Handle]int64), 0
	for _, k := range journal.Bookings() {
		if k.Kind == paystream.BookedCredit {
			booked[k.Handle] += k.AmountMsat
		}
	}
	all := p.PayStreams()
	for h, s := range all {
		if s.BalanceMsat != booked[h] {
			t.Errorf("%s: the balance is %d msat, %d are booked", h, s.BalanceMsat, booked[h])
		}
		if s.Reason == paystream.ReasonLate {
			over++
		}
	}
	if len(booked) == 0 || over == 0 {
		t.Errorf("of %d pay streams %d were credited and %d cut, want some of each", len(all), len(booked), over)
	}
}

// crowd is payers, one after another: some pay, some do not, some leave.
func crowd(ctx context.Context, p *paystream.Payee, node *fakeNode, terms policies.Terms) error {
	for n := 0; n < 500 && ctx.Err() == nil; n++ {
		secret := paystream.NewPreimage()
		h := secret.Hash()
		in := paystream.Intent{Hash: h, TermsHash: terms.Hash()}
		if n%3 > 0 { // before the intent, which old terms need
			node.settle(h.RoundID(in.TermsHash, 2), terms.FinalMsat)
		}
		if _, err := p.Admit(ctx, in); err != nil {
			var changed *paystream.TermsChanged
			if !errors.As(err, &changed) {
				return err
			}
			continue
		}
		if _, err := p.View(ctx, h); err != nil {
			return err
		}
		if _, err := p.Authorize(ctx, h); err != nil {
			return err
		}
		if _, err := p.Invoice(ctx, h, 2, 1000); err != nil {
			return err
		}
		if n%5 == 0 {
			if _, err := p.End(ctx, h, secret); err != nil {
				return err
			}
		}
	}
	return nil
}
