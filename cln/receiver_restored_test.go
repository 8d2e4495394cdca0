package cln_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/paystream"
)

// restoredNode is a receiver of bob's that tells what it was told.
type restoredNode struct {
	*cln.Receiver
	mu   sync.Mutex
	told []cln.Restored
}

func newRestored(w *world) *restoredNode {
	r := &restoredNode{}
	r.Receiver = cln.NewReceiver(w.bob, cln.ReceiverOptions{OnRestored: func(x cln.Restored) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.told = append(r.told, x)
	}})
	return r
}

func (r *restoredNode) times() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.told)
}

func (s *sink) last() paystream.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got[len(s.got)-1].Position()
}

func (s *sink) has(hash string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, got := range s.got {
		if got.PaymentHash == hash {
			return true
		}
	}
	return false
}

// nextSecond waits until the node's clock, which has seconds, has moved on.
func nextSecond(t *testing.T) {
	t.Helper()
	from := time.Now().Unix()
	eventually(t, "a second later", func() bool { return time.Now().Unix() > from })
}

// A node that comes back with an old database gives pay_indexes to new payments that others had: all of them are
// delivered, and Sync does not say that it knows everything before they are.
func TestRestoredWhileItRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	wallet := cln.NewWallet(w.alice, cln.WalletOptions{Unpaced: true})
	d := w.offer()
	r, s := newRestored(w), &sink{}
	followFrom(t, r.Receiver, paystream.Position{}, s)
	for i := range 3 {
		w.pay(wallet, d, i)
	}
	must(t, w.Snapshot("bob"))
	for i := 3; i < 8; i++ {
		w.pay(wallet, d, i)
	}
	eventually(t, "eight payments", func() bool { return s.count() == 8 })
	nextSecond(t)

	must(t, w.Restore("bob"))
	after := w.pay(wallet, d, 8)
	if _, err := r.Sync(within(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	if !s.has(after.PaymentHash) {
		t.Error("the receiver says that it knows everything, and does not know the payment that took an old pay_index")
	}
	if r.times() != 1 || r.told[0].Had != 8 {
		t.Errorf("told %v", r.told)
	}
	for i := 9; i < 20; i++ { // past the pay_index that it had been followed to
		w.pay(wallet, d, i)
	}
	eventually(t, "the rest", func() bool { return s.last().PayIndex == 15 })
	if len(s.rewound) != 1 || r.times() != 1 {
		t.Errorf("rewound %v, told %v", s.rewound, r.told)
	}
}

// The same while nobody looked: whether the node has been paid more often since, as often, less often or never.
func TestRestoredBeforeTheStart(t *testing.T) {
	t.Parallel()
	for _, since := range []int{0, 1, 5, 9} {
		w := newWorld(t, options{})
		wallet := cln.NewWallet(w.alice, cln.WalletOptions{Unpaced: true})
		d := w.offer()
		s := &sink{}
		w.pay(wallet, d, 1)
		must(t, w.Snapshot("bob"))
		for i := 2; i <= 6; i++ {
			w.pay(wallet, d, i)
		}
		stop := follow(t, cln.NewReceiver(w.bob, cln.ReceiverOptions{}), 0, s)
		eventually(t, "six payments", func() bool { return s.count() == 6 })
		stop()
		nextSecond(t)
		must(t, w.Restore("bob"))
		var hashes []string
		for i := range since {
			hashes = append(hashes, w.pay(wallet, d, 10+i).PaymentHash)
		}

		r := newRestored(w)
		followFrom(t, r.Receiver, s.last(), s)
		if _, err := r.Sync(within(t, 5*time.Second)); err != nil {
			t.Fatalf("%d payments since: %v", since, err)
		}
		hashes = append(hashes, w.pay(wallet, d, 30).PaymentHash)
		if _, err := r.Sync(within(t, 5*time.Second)); err != nil {
			t.Fatalf("%d payments since: %v", since, err)
		}
		for _, h := range hashes {
			if !s.has(h) {
				t.Errorf("%d payments since: one was not delivered", since)
			}
		}
		if r.times() != 1 {
			t.Errorf("%d payments since: told %v", since, r.told)
		}
	}
}

// A paid invoice that was tidied away is no restored node: nothing is said, nothing is missed.
func TestPaidInvoiceDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	wallet := cln.NewWallet(w.alice, cln.WalletOptions{Unpaced: true})
	d := w.offer()
	s := &sink{}
	for i := range 4 {
		w.pay(wallet, d, i)
	}
	stop := follow(t, cln.NewReceiver(w.bob, cln.ReceiverOptions{}), 0, s)
	eventually(t, "four payments", func() bool { return s.count() == 4 })
	stop()
	for _, got := range s.got[1:] {
		if err := w.bob.Call(t.Context(), "delinvoice", map[string]any{"label": got.Label, "status": "paid"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	r := newRestored(w)
	stop = followFrom(t, r.Receiver, s.last(), s)
	for i := 4; i < 6; i++ {
		inv := w.pay(wallet, d, i)
		if _, err := r.Sync(within(t, 5*time.Second)); err != nil || !s.has(inv.PaymentHash) {
			t.Errorf("payment %d: %v", i, err)
		}
	}
	stop()
	if r.times() != 0 {
		t.Errorf("told %v", r.told)
	}
	if ok, err := r.Remembers(t.Context(), s.last()); !ok || err != nil {
		t.Errorf("the last is remembered: %v, %v", ok, err)
	}
	if _, err := r.Remembers(canceled(), s.last()); err == nil {
		t.Error("no answer is no memory")
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
