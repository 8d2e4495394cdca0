package paystream_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// payerTerms are the terms of the specification.
func payerTerms() policies.Terms {
	return policies.DefaultTerms("0123456789ABCDEF0123456789ABCDEF01234567",
		policies.Descriptor{Kind: policies.Offer, Value: "lno1example"}, netip.MustParseAddrPort("203.0.113.9:9402"))
}

// worthFunc is a Service.
type worthFunc func() bool

func (f worthFunc) Worth(paystream.Handle, time.Time) bool { return f() }

// payerWorld is a payer with everything around it.
type payerWorld struct {
	*testing.T
	node    *payerNode
	relay   *payerRelay
	journal *payerBooks
	budget  *payerPurse
	policy  policies.Payment
	service paystream.Service
	payer   *paystream.Payer
	stop    func()
	shift   time.Duration // of the payer's clock

	mu     sync.Mutex
	events []paystream.Event
}

func newPayerWorld(t *testing.T) *payerWorld {
	w := &payerWorld{T: t, node: newPayerNode(), journal: newPayerBooks(), budget: newPayerPurse(1_000_000), policy: policies.DefaultPayment()}
	w.relay = newPayerRelay(w.node, payerTerms())
	return w
}

// start recovers and runs a payer; calling it again is a restart.
func (w *payerWorld) start() []paystream.PayerStatus {
	w.Helper()
	w.payer = paystream.NewPayer(paystream.PayerConfig{
		Wallet: w.node, Journal: w.journal, Budget: w.budget, Policy: w.policy, Service: w.service,
		Now: w.now,
		Emit: func(e paystream.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		},
	})
	live, err := w.payer.Recover(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.payer.Run(ctx) }()
	w.stop = func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			w.Errorf("Run returned %v", err)
		}
	}
	return live
}

// now is the payer's clock.
func (w *payerWorld) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.shift)
}

// jump lets the payer's clock jump, as after the machine slept.
func (w *payerWorld) jump(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shift += d
}

// payerBubble runs f in a world whose clock is synctest's.
func payerBubble(t *testing.T, f func(w *payerWorld)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newPayerWorld(t)
		f(w)
		w.stop()
	})
}

// at waits until so long after a moment, and until everything that was to
// happen by then has.
func (w *payerWorld) at(began time.Time, after time.Duration) {
	time.Sleep(time.Until(began.Add(after)))
	synctest.Wait()
}

func (w *payerWorld) wait(d time.Duration) { w.at(time.Now(), d) }

// was reports whether an event was told.
func (w *payerWorld) was(event string) bool { return slices.Contains(w.told(), event) }

func (w *payerWorld) want(event string) {
	w.Helper()
	if !w.was(event) {
		w.Errorf("no event %s among %q", event, w.told())
	}
}

func (w *payerWorld) status(h paystream.Handle) paystream.PayerStatus {
	w.Helper()
	st, err := w.payer.PayStream(h)
	if err != nil {
		w.Fatal(err)
	}
	return st
}

// wantSent checks what the node gave away, routing included, in how many
// payments.
func (w *payerWorld) wantSent(msat int64, payments int) {
	w.Helper()
	if got, n := w.node.sentMsat(); got != msat || n != payments {
		w.Errorf("the node sent %d msat in %d payments, want %d in %d", got, n, msat, payments)
	}
}

func (w *payerWorld) open() paystream.Handle {
	w.Helper()
	h, err := w.payer.Open(w.Context(), w.request())
	if err != nil {
		w.Fatal(err)
	}
	synctest.Wait()
	return h
}

func (w *payerWorld) request() paystream.OpenRequest {
	return paystream.OpenRequest{Terms: w.relay.terms, Link: w.relay, Circuit: "7", Hop: 3, Controller: "uid:1000"}
}

// told lists the events as "STATUS" or "STATUS REASON".
func (w *payerWorld) told() (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		s := string(e.Status)
		if e.Reason != "" {
			s += " " + string(e.Reason)
		}
		out = append(out, s)
	}
	return out
}

// agree checks that node, relay, journal and budget know of the same money.
func (w *payerWorld) agree() {
	w.Helper()
	sent, n := w.node.sentMsat()
	booked, m := w.journal.paid()
	held, spent := w.budget.totals()
	if sent != booked || n != m || spent != sent || held != 0 {
		w.Errorf("the node sent %d msat in %d payments, the journal has %d in %d, the budget %d and %d held", sent, n, booked, m, spent, held)
	}
}
