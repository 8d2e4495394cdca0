package paystream_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/el-tor/tops/paystream"
)

// Two hops of one circuit are paid at moments of their own, and never together,
// however long the node takes.
func TestPayerPaysHopsApart(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		middle := newPayerRelay(w.node, payerTerms())
		middle.terms.Relay = strings.Repeat("B", 40)
		w.node.credits = func(note paystream.RoundID, msat int64) {
			for r := range 11 {
				if middle.hash.RoundID(middle.terms.Hash(), r) == note {
					middle.credit(note, msat)
					return
				}
			}
			w.relay.credit(note, msat)
		}
		var now, most, n atomic.Int32
		w.node.slow = func() {
			n.Add(1)
			if most.Load() < now.Add(1) {
				most.Store(now.Load())
			}
			time.Sleep(4 * time.Second)
			now.Add(-1)
		}
		w.start()
		began := time.Now()
		w.open()
		if _, err := w.payer.Open(w.Context(), paystream.OpenRequest{
			Terms: middle.terms, Link: middle, Circuit: "7", Hop: 2, Controller: "uid:1000",
		}); err != nil {
			t.Fatal(err)
		}
		w.at(began, 11*time.Minute)
		if most.Load() != 1 || n.Load() < 18 {
			t.Errorf("%d payments, up to %d at once; want 18, one at a time", n.Load(), most.Load())
		}
		w.wantSent(20_000, 18)
		if w.was("LATE") {
			t.Errorf("a round was late: %q", w.told())
		}
		w.agree()
	})
}

// A relay that no permitted payment reaches is refused at once the next time, until
// an hour has passed.
func TestPayerRefusesWhomRoutingPutsOutOfReach(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.relay.terms.Grace = time.Minute
		w.node.fee = 1001 // the cap of ten rounds is 1000
		w.start()
		w.open()
		w.wait(10 * time.Minute)
		w.wantSent(0, 0)
		var no *paystream.Refusal
		if _, err := w.payer.Open(w.Context(), w.request()); !errors.As(err, &no) || no.Reason != paystream.ReasonFee {
			t.Fatalf("opened anew: %v, want a refusal for the fee", err)
		}
		w.want("REFUSED FEE")
		if n := len(w.relay.intents); n != 1 {
			t.Errorf("the relay heard of %d intents, want the first alone", n)
		}
		w.wait(time.Hour)
		terms := w.relay.terms
		w.relay = newPayerRelay(w.node, terms) // which has forgotten us
		w.node.locked(func() { w.node.fee = 0 })
		began := time.Now()
		w.open()
		w.at(began, 11*time.Minute)
		w.want("COMPLETED COMPLETED")
		synctest.Wait()
		w.agree()
	})
}

// A user who risks few rounds at once is served if these suffice, whatever a bolder
// guess at the routing would have asked for.
func TestPayerTriesAllThatTheUserRisks(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.relay.terms.Grace = time.Minute
		w.policy.Risk = 3
		w.node.fee = 250 // the cap of three rounds is 300
		w.start()
		began := time.Now()
		w.open()
		w.at(began, 11*time.Minute)
		w.want("COMPLETED COMPLETED")
		w.wantSent(10_000+3*250, 3)
		w.agree()
	})
}
