package cln_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/paystream"
)

// On a bad day (attempts that fail, HTLCs that get stuck and settle late, answers that never come, a node that goes
// away) whoever goes by the errors of the wallet pays each round once, and the payee learns of each payment once.
func TestExactlyOnceOnABadDay(t *testing.T) {
	t.Parallel()
	const rounds = 25
	w := newWorld(t, options{world: clnsim.Options{Seed: 1}})
	d := w.offer()
	wallet := cln.NewWallet(w.alice, cln.WalletOptions{Unpaced: true})
	s := &sink{}
	follow(t, cln.NewReceiver(w.bob, cln.ReceiverOptions{}), 0, s)
	w.setFaults("alice", clnsim.Faults{
		PayDelay: 5 * time.Millisecond, FailRate: 0.5, StuckRate: 0.2, StuckFor: 300 * time.Millisecond,
		HangUpRate: 0.1, Linger: 20 * time.Millisecond, Hops: 1, FeeBaseMsat: 1,
	})
	w.setFaults("bob", clnsim.Faults{HangUpRate: 0.1})

	calm := make(chan struct{})
	go func() { // outages
		defer close(calm)
		for _, node := range []string{"alice", "bob", "alice"} {
			time.Sleep(100 * time.Millisecond)
			w.outage(node, true)
			time.Sleep(50 * time.Millisecond)
			w.outage(node, false)
		}
	}()

	sent := make(chan int64, rounds)
	var wg sync.WaitGroup
	for i := range rounds {
		wg.Go(func() { sent <- payUntilSettled(t, wallet, request(d, i)) })
	}
	wg.Wait()
	<-calm
	close(sent)
	var total int64
	for msat := range sent {
		total += msat
	}
	eventually(t, "the payee has all", func() bool { return s.count() >= rounds })
	s.checkOrder(t, 1, rounds)
	seen := map[string]bool{}
	for _, got := range s.got {
		if seen[got.Note] || got.AmountMsat != 1000 {
			t.Errorf("%+v", got)
		}
		seen[got.Note] = true
	}
	if b := w.Balances()["alice"]; b.SentMsat != rounds*1000 || b.SentMsat+b.FeesMsat != total || b.HeldMsat != 0 {
		t.Errorf("the node sent %d and %d for routing, %d held; the wallet says %d", b.SentMsat, b.FeesMsat, b.HeldMsat, total)
	}
	w.audit()
}

// payUntilSettled does what the wallet's errors say, as a payer would, and returns what went out.
func payUntilSettled(t *testing.T, wallet *cln.Wallet, req paystream.InvoiceRequest) int64 {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	inv, err := wallet.FetchInvoice(ctx, req)
	for ; err != nil; inv, err = wallet.FetchInvoice(ctx, req) {
		if errors.Is(err, paystream.ErrRefused) || ctx.Err() != nil {
			t.Errorf("fetch: %v", err)
			return 0
		}
		time.Sleep(rand.N(10 * time.Millisecond))
	}
	for ctx.Err() == nil {
		short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		got, err := wallet.Pay(short, payRequest(inv))
		cancel()
		for errors.Is(err, paystream.ErrHeld) && ctx.Err() == nil {
			time.Sleep(5 * time.Millisecond)
			p, lookupErr := wallet.Lookup(ctx, inv.PaymentHash)
			switch {
			case lookupErr != nil || p.Status == paystream.PaymentPending:
			case p.Status == paystream.PaymentComplete:
				got, err = p, nil
			default: // the same invoice, never another
				err = paystream.ErrTryAgain
			}
		}
		switch {
		case err == nil:
			return got.SentMsat
		case errors.Is(err, paystream.ErrRefused):
			t.Errorf("pay: %v", err)
			return 0
		}
		time.Sleep(rand.N(10 * time.Millisecond))
	}
	t.Error(fmt.Errorf("round %s did not end", req.Note))
	return 0
}
