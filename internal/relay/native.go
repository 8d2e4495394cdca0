package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/internal/statefile"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
	"golang.org/x/sync/errgroup"
)

// newNative makes the carrier of a relay on El Tor's tor. It says at once what that
// tor cannot do.
func (r *Relay) newNative() *eltor.Carrier {
	if r.fork.Dialect == eltor.A {
		r.failed(errors.New("this tor is El Tor's, dialect A: it cannot end a circuit, so that circuits which are not paid go on; they are told of one by one"))
	}
	cfg := eltor.CarrierConfig{Fork: r.fork, Tor: r.tor, Options: r.cfg.Tor, Now: r.cfg.Now, Failed: r.failed}
	if file := r.cfg.CircuitsFile; file != "" {
		cfg.Load = func(s *eltor.State) error { return statefile.Load(file, s) }
		cfg.Save = func(s eltor.State) error { return statefile.Save(file, s) }
	}
	return eltor.NewCarrier(cfg)
}

// nativePayee is the engine on that carrier. Nothing can be asked of a circuit that
// comes: what its opening costs was paid before, or it is not served.
func (r *Relay) nativePayee(terms policies.Terms) *paystream.Payee {
	journal := r.cfg.Journal
	if r.fork.Dialect == eltor.A {
		journal = eltor.Books{PayeeJournal: journal}
	}
	var payee *paystream.Payee
	payee = paystream.NewPayee(paystream.PayeeConfig{
		Terms: terms, Carrier: r.native, Journal: journal, Now: r.cfg.Now,
		Receiver: eltor.Fees{Receiver: r.cfg.Node, Terms: func() policies.Terms { return payee.Terms() }},
		Ours:     func(id string) bool { return slices.Contains(*r.offers.Load(), id) }, OursPlain: r.isOursPlain,
		Opening: func(paystream.Load) paystream.Opening {
			if r.feeMsat.Load() > 0 {
				return paystream.OpenFee
			}
			return paystream.OpenFree
		},
		Emit: r.cfg.Emit, OnError: r.failed,
	})
	r.native.SetPayee(payee)
	return payee
}

// runNative serves until ctx ends.
func (r *Relay) runNative(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.native.Run(ctx) })
	g.Go(func() error { return r.keepHouse(ctx) })
	g.Go(func() error { return r.Payee.Run(ctx) })
	if r.lnurl != nil {
		g.Go(func() error { return serveLNURL(ctx, r.lnurl, r.serveAddress()) })
	}
	g.Go(func() error {
		if err := r.publish(ctx); err != nil {
			return fmt.Errorf("set tor's options: %w", err)
		}
		return nil
	})
	err := g.Wait()
	if cerr := r.Checkpoint(context.WithoutCancel(ctx)); err == nil {
		err = cerr
	}
	return err
}

// nativeTerms are terms as this carrier has them. What payers cannot read in the
// descriptor they take for granted, and an opening fee is known by its note, which
// depends on all of it.
func nativeTerms(t policies.Terms) (policies.Terms, error) {
	t = eltor.Terms(t)
	if grace := eltor.PublishedGrace(t.Interval); t.FeeMsat > 0 && t.Grace != grace {
		return t, fmt.Errorf("on El Tor's network an opening fee (fee_msat) needs grace = %q: payers cannot read another", grace)
	}
	return t, nil
}

// settings are the options of tor for the terms in force.
func (r *Relay) options() []tor.Setting {
	if r.native != nil {
		return eltor.Options(r.Terms())
	}
	return Options(r.Terms(), *r.me.Load())
}

// Carrier says which carrier it is, for people.
func (r *Relay) Carrier() string { return r.fork.Carrier() }

// Native is what the carrier on El Tor's tor has seen; false on a stock tor.
func (r *Relay) Native() (eltor.Stats, bool) {
	if r.native == nil {
		return eltor.Stats{}, false
	}
	return r.native.Stats(), true
}
