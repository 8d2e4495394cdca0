package cln_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// sink keeps what is delivered, and fails or waits when told to.
type sink struct {
	mu      sync.Mutex
	got     []paystream.Settlement
	batches []int
	fail    int           // so many more deliveries
	gate    chan struct{} // if not nil, each delivery waits for it
	delay   time.Duration // of each delivery: a disk
	rewound []paystream.Position
}

func (s *sink) Rewind(_ context.Context, to paystream.Position) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rewound = append(s.rewound, to)
	return nil
}

func (s *sink) Deliver(ctx context.Context, batch []paystream.Settlement) error {
	s.mu.Lock()
	gate := s.gate
	s.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	time.Sleep(s.delay)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail > 0 {
		s.fail--
		return errors.New("disk full")
	}
	s.got = append(s.got, batch...)
	s.batches = append(s.batches, len(batch))
	return nil
}

func (s *sink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.got)
}

// checkOrder fails unless the sink has exactly the settlements first to last.
func (s *sink) checkOrder(t *testing.T, first, last uint64) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, got := range s.got {
		if got.PayIndex != first+uint64(i) {
			t.Fatalf("settlement %d has pay_index %d", i, got.PayIndex)
		}
	}
	if n := uint64(len(s.got)); n != last-first+1 {
		t.Errorf("%d settlements, want %d", n, last-first+1)
	}
}

// follow runs a receiver until the test, or the returned function, ends it.
func follow(t *testing.T, r *cln.Receiver, from uint64, s *sink) (stop func()) {
	t.Helper()
	return followFrom(t, r, paystream.Position{PayIndex: from}, s)
}

func followFrom(t *testing.T, r *cln.Receiver, from paystream.Position, s *sink) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx, from, s) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	eventually(t, "the receiver runs", func() bool {
		_, err := r.Sync(within(t, 10*time.Millisecond))
		return err == nil || !errors.Is(err, paystream.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)
	})
	return stop
}

func TestReceive(t *testing.T) {
	w := newWorld(t, options{})
	wallet := cln.NewWallet(w.alice, cln.WalletOptions{Unpaced: true})
	d := w.offer()
	first := w.pay(wallet, d, 1)

	r, s := cln.NewReceiver(w.bob, cln.ReceiverOptions{}), &sink{}
	stop := follow(t, r, 0, s)
	asked := time.Now()
	upTo, err := r.Sync(t.Context())
	if err != nil || upTo.Before(asked) || upTo.After(time.Now()) {
		t.Errorf("sync: %v, %v", upTo, err)
	}
	s.checkOrder(t, 1, 1)
	offer, err := w.alice.Decode(t.Context(), d.Value)
	if err != nil {
		t.Fatal(err)
	}
	got := s.got[0]
	if got.Note != string(note(1)) || got.AmountMsat != 1000 || got.PaymentHash != first.PaymentHash || got.OfferID != offer.OfferID || time.Since(got.PaidAt) > time.Minute {
		t.Errorf("%+v", got)
	}

	w.pay(wallet, d, 2)
	eventually(t, "the second is pushed", func() bool { return s.count() == 2 })
	stop()
	if _, err := r.Sync(t.Context()); !errors.Is(err, paystream.ErrUnavailable) {
		t.Errorf("sync of a receiver that has stopped: %v", err)
	}

	w.pay(wallet, d, 3)
	again := &sink{}
	follow(t, r, 2, again)
	eventually(t, "the third is there", func() bool { return again.count() == 1 })
	again.checkOrder(t, 3, 3)
}

// While the sink is busy the receiver reads on, and Sync waits for the sink.
func TestReceiveInBatches(t *testing.T) {
	w := newWorld(t, options{})
	if err := w.Backlog("alice", "bob", 700, func(i int) string { return string(note(i)) }); err != nil {
		t.Fatal(err)
	}
	r, s := cln.NewReceiver(w.bob, cln.ReceiverOptions{}), &sink{gate: make(chan struct{}), delay: 20 * time.Millisecond}
	follow(t, r, 0, s)
	s.gate <- struct{}{}
	short := within(t, 50*time.Millisecond)
	if _, err := r.Sync(short); !errors.Is(err, paystream.ErrUnavailable) {
		t.Errorf("sync before the sink has it: %v", err)
	}
	synced := make(chan error, 1)
	go func() {
		_, err := r.Sync(t.Context())
		synced <- err
	}()
	close(s.gate)
	if err := <-synced; err != nil {
		t.Error(err)
	}
	s.checkOrder(t, 1, 700)
	if len(s.batches) > 350 { // or nothing is gathered
		t.Errorf("%d batches", len(s.batches))
	}
}

func TestReceiveThroughTrouble(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	wallet := cln.NewWallet(w.alice, cln.WalletOptions{Unpaced: true})
	d := w.offer()
	var mu sync.Mutex
	var errs []error
	r := cln.NewReceiver(w.bob, cln.ReceiverOptions{OnError: func(err error) {
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, err)
	}})
	s := &sink{fail: 2}
	follow(t, r, 0, s)
	w.pay(wallet, d, 1)
	eventually(t, "delivered after failures", func() bool { return s.count() == 1 })

	w.outage("bob", true)
	if _, err := r.Sync(t.Context()); !errors.Is(err, paystream.ErrUnavailable) {
		t.Errorf("sync in an outage: %v", err)
	}
	w.pay(wallet, d, 2)
	w.outage("bob", false)
	eventually(t, "the receiver reconnects", func() bool { return s.count() == 2 })

	w.setFaults("bob", clnsim.Faults{HangUpRate: 0.3})
	for i := 3; i <= 10; i++ {
		w.pay(wallet, d, i)
	}
	eventually(t, "all came", func() bool { return s.count() == 10 })
	s.checkOrder(t, 1, 10)
	mu.Lock()
	defer mu.Unlock()
	if len(errs) < 2 || !strings.Contains(errs[0].Error(), "disk full") || !errors.Is(errs[1], cln.ErrUnreachable) && !errors.Is(errs[1], cln.ErrNoAnswer) {
		t.Errorf("errors told: %v", errs)
	}
	if err := r.Run(t.Context(), paystream.Position{}, s); err == nil {
		t.Error("it runs twice")
	}
}

func TestPlainInvoices(t *testing.T) {
	w := newWorld(t, options{})
	r := cln.NewReceiver(w.bob, cln.ReceiverOptions{})
	wallet := cln.NewWallet(w.alice, cln.WalletOptions{Unpaced: true})
	req := request(w.offer(), 1)
	one, err := r.Invoice(t.Context(), "id-1", 1000, "a round")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.Invoice(t.Context(), "id-1", 1000, "a round"); err != nil || again != one {
		t.Errorf("again: %v, %v", again == one, err)
	}
	if _, err := r.Invoice(t.Context(), "id-1", 2000, "a round"); !errors.Is(err, paystream.ErrPaid) {
		t.Errorf("another amount: %v", err)
	}
	if _, ok, err := w.bob.InvoiceByLabel(t.Context(), "id-1"); ok || err != nil {
		t.Errorf("the first is still there: %v", err)
	}

	two, err := r.Invoice(t.Context(), "id-2", 1000, "a round")
	if err != nil {
		t.Fatal(err)
	}
	inv, err := wallet.CheckInvoice(t.Context(), req, two)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wallet.Pay(t.Context(), payRequest(inv)); err != nil {
		t.Fatal(err)
	}
	if err := r.DeleteInvoice(t.Context(), "id-2"); !errors.Is(err, paystream.ErrPaid) {
		t.Errorf("delete a paid one: %v", err)
	}
	if _, err := r.Invoice(t.Context(), "id-2", 1000, "a round"); !errors.Is(err, paystream.ErrPaid) {
		t.Errorf("make a paid one: %v", err)
	}
	if err := r.DeleteInvoice(t.Context(), "nobody's"); err != nil {
		t.Errorf("delete none: %v", err)
	}
	w.outage("bob", true)
	if _, err := r.Invoice(t.Context(), "id-3", 1000, "a round"); !errors.Is(err, paystream.ErrUnavailable) {
		t.Errorf("in an outage: %v", err)
	}
}

func TestOffer(t *testing.T) {
	t.Run("public node", func(t *testing.T) { testOffer(t, false) })
	t.Run("hidden node", func(t *testing.T) { testOffer(t, true) })
}

func testOffer(t *testing.T, hidden bool) {
	w := newWorld(t, options{bob: clnsim.NodeOptions{Hidden: hidden}})
	r := cln.NewReceiver(w.bob, cln.ReceiverOptions{})
	ask := func(description string) cln.Offer {
		o, err := r.Offer(t.Context(), description)
		if err != nil || !o.Active || o.Description != description {
			t.Fatalf("%+v, %v", o, err)
		}
		return o
	}
	one, other := ask("relay A, terms 1"), ask("relay B, terms 1")
	if one.ID == other.ID || ask("relay A, terms 1") != one {
		t.Error("one set of terms is not one offer")
	}
	for range 2 {
		if err := r.DisableOffer(t.Context(), one.ID); err != nil {
			t.Error(err)
		}
	}
	if ask("relay A, terms 1").ID != one.ID {
		t.Error("switched on again it is another")
	}
	if _, err := r.Offer(t.Context(), "a\nb"); err == nil {
		t.Error("a description of two lines")
	}

	// A hidden node is found over a peer. Once it has no channel with that one its offers lead nowhere.
	if err := w.ChangePeer("bob"); err != nil {
		t.Fatal(err)
	}
	if after := ask("relay A, terms 1"); (after.ID != one.ID) != hidden {
		t.Errorf("over another peer the offer is %s, before %s", after.ID, one.ID)
	}
}

// An offer begins at the peers that are to stand before the node, where it knows how to make such.
func TestFrontingNodes(t *testing.T) {
	w := newWorld(t, options{})
	channels, err := w.bob.ListChannels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	front := channels[0].PeerID
	plain, err := cln.NewReceiver(w.bob, cln.ReceiverOptions{}).Offer(t.Context(), "a relay")
	if err != nil {
		t.Fatal(err)
	}
	r := cln.NewReceiver(w.bob, cln.ReceiverOptions{FrontingNodes: []string{front}})
	o, err := r.Offer(t.Context(), "a relay")
	if err != nil || o.ID == plain.ID {
		t.Fatalf("%+v, %v", o, err)
	}
	if d, err := w.bob.Decode(t.Context(), o.Bolt12); err != nil || len(d.OfferPaths) != 1 || d.OfferPaths[0].FirstNodeID != front {
		t.Errorf("paths %+v, %v", d.OfferPaths, err)
	}
	if again, err := r.Offer(t.Context(), "a relay"); err != nil || again.ID != o.ID {
		t.Errorf("again: %+v, %v", again, err)
	}
	w.pay(cln.NewWallet(w.alice, cln.WalletOptions{Unpaced: true}), policies.Descriptor{Kind: policies.Offer, Value: o.Bolt12}, 1)

	me, err := w.bob.GetInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stranger := cln.NewReceiver(w.bob, cln.ReceiverOptions{FrontingNodes: []string{me.ID}})
	if _, err := stranger.Offer(t.Context(), "a relay"); err == nil || !strings.Contains(err.Error(), "no channel with") {
		t.Errorf("a front that is no peer: %v", err)
	}
}

// Only our own expired rows go, and the place where the next sweep begins never passes one that may still be paid.
func TestSweep(t *testing.T) {
	w := newWorld(t, options{world: clnsim.Options{InvoiceExpiry: time.Nanosecond}})
	r := cln.NewReceiver(w.bob, cln.ReceiverOptions{})
	d := w.offer()
	for i := range 5 {
		req := request(d, i)
		if _, err := w.alice.FetchInvoice(t.Context(), d.Value, 1000, string(req.Note), req.Metadata, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	for _, label := range []string{"shop-1", "ours-1"} {
		if _, err := w.bob.MakeInvoice(t.Context(), label, 1, "x", time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	ours := func(inv cln.Invoice) bool { return inv.OfferID != "" || inv.Label == "ours-1" }
	next, deleted, err := r.Sweep(t.Context(), 0, ours)
	if err != nil || deleted != 5 || next != 7 {
		t.Errorf("next %d, deleted %d, %v", next, deleted, err)
	}
	left, err := w.bob.ListInvoices(t.Context(), 1, 100)
	if err != nil || len(left) != 2 {
		t.Errorf("%+v, %v", left, err)
	}
	if next, deleted, err := r.Sweep(t.Context(), next, ours); err != nil || deleted != 0 || next != 7 {
		t.Errorf("again: next %d, deleted %d, %v", next, deleted, err)
	}
}

func TestHealth(t *testing.T) {
	need := cln.Need{SpendMsat: 10_000, ReceiveMsat: 10_000, Hidden: true}
	for name, c := range map[string]struct {
		node    clnsim.NodeOptions
		offline bool
		want    int
	}{
		"well":        {want: 0},
		"exposed":     {node: clnsim.NodeOptions{Exposed: true}, want: 1},
		"no outbound": {node: clnsim.NodeOptions{OutMsat: 1}, want: 1},
		"no inbound":  {node: clnsim.NodeOptions{InMsat: 1}, want: 1},
		"offline":     {offline: true, want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, options{alice: c.node})
			if err := w.SetOffline("alice", c.offline); err != nil {
				t.Fatal(err)
			}
			h, err := w.alice.Health(t.Context())
			if p := h.Problems(need); err != nil || len(p) != c.want {
				t.Errorf("%q, %v", p, err)
			}
		})
	}
	w := newWorld(t, options{})
	w.outage("alice", true)
	if _, err := w.alice.Health(t.Context()); !errors.Is(err, paystream.ErrUnavailable) {
		t.Errorf("away: %v", err)
	}
}
