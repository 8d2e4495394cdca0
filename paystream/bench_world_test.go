package paystream_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// benchPayee is a payee with as many pay streams as a benchmark wants, started
// evenly over one interval.
type benchPayee struct {
	*paystream.Payee
	terms   policies.Terms
	hashes  []paystream.PaymentIDHash
	clock   *benchClock
	carrier *cutCarrier
	index   uint64
}

// newBenchPayee has everything ready but the pay streams themselves.
func newBenchPayee(b *testing.B, n int, books paystream.PayeeJournal) *benchPayee {
	w := &benchPayee{terms: relayTerms(), hashes: make([]paystream.PaymentIDHash, n), clock: &benchClock{at: time.Now()}}
	for i := range w.hashes {
		var secret paystream.Preimage
		binary.BigEndian.PutUint64(secret[:], uint64(i))
		w.hashes[i] = secret.Hash()
	}
	w.carrier = &cutCarrier{clock: w.clock}
	w.Payee = paystream.NewPayee(paystream.PayeeConfig{Terms: w.terms, Carrier: w.carrier, Receiver: promptNode{clock: w.clock},
		Journal: books, Ours: func(string) bool { return true }, Now: w.clock.now})
	if err := w.Recover(b.Context()); err != nil {
		b.Fatal(err)
	}
	w.hearNode(b)
	return w
}

// hearNode runs the payee until its node has answered: before that nobody is
// admitted for long.
func (w *benchPayee) hearNode(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	for since, _ := w.Away(); !since.IsZero(); since, _ = w.Away() {
		runtime.Gosched()
	}
	cancel()
	<-done
}

// openAll admits everybody, evenly over one interval of the benchmark's clock.
func (w *benchPayee) openAll(b *testing.B) {
	start, terms := w.clock.now(), w.terms.Hash()
	for i, h := range w.hashes {
		w.clock.set(w.startOf(start, i))
		if _, err := w.Admit(b.Context(), paystream.Intent{Hash: h, TermsHash: terms}); err != nil {
			b.Fatal(err)
		}
	}
	w.clock.set(start.Add(w.terms.Interval))
}

func (w *benchPayee) startOf(first time.Time, i int) time.Time {
	return first.Add(time.Duration(i) * w.terms.Interval / time.Duration(len(w.hashes)))
}

// creditAll pays everybody's first priced round.
func (w *benchPayee) creditAll(b *testing.B) {
	all := make([]int, len(w.hashes))
	for i := range all {
		all[i] = i
	}
	for part := range slices.Chunk(all, 512) {
		w.deliver(b, w.payments(part, w.terms.RateMsat))
	}
}

// payments of an amount to the pay streams of that number.
func (w *benchPayee) payments(to []int, amountMsat int64) []paystream.Settlement {
	terms, batch := w.terms.Hash(), make([]paystream.Settlement, len(to))
	for i, n := range to {
		w.index++
		batch[i] = paystream.Settlement{PayIndex: w.index, PaymentHash: fmt.Sprintf("%064x", w.index), OfferID: ourOffer,
			Note: string(w.hashes[n].RoundID(terms, 2)), AmountMsat: amountMsat, PaidAt: w.clock.now()}
	}
	return batch
}

func (w *benchPayee) deliver(b *testing.B, batch []paystream.Settlement) {
	if err := w.Deliver(b.Context(), batch); err != nil {
		b.Fatal(err)
	}
}

// creditsPerSecond delivers count payments to anybody, so many at a time, as
// often as the benchmark asks. They are too small to cover a round.
func (w *benchPayee) creditsPerSecond(b *testing.B, count, atOnce int) float64 {
	random := rand.New(rand.NewPCG(1, 2))
	delivered := 0
	for b.Loop() {
		b.StopTimer()
		to := make([]int, count)
		for i := range to {
			to[i] = random.IntN(len(w.hashes))
		}
		all := w.payments(to, 1)
		runtime.GC() // of the payments' making, not of the engine's work
		b.StartTimer()
		for batch := range slices.Chunk(all, atOnce) {
			w.deliver(b, batch)
		}
		delivered += count
	}
	perSecond := float64(delivered) / b.Elapsed().Seconds()
	v, err := w.View(b.Context(), w.hashes[0])
	if err != nil || v.BalanceMsat < w.terms.RateMsat {
		b.Fatalf("the first pay stream after %d payments: %+v, %v", delivered, v, err)
	}
	return perSecond
}

// cuts runs the payee on the real clock from the moment of the first deadline of
// round 3, for a while, and returns how late each cut was, sorted.
func (w *benchPayee) cuts(b *testing.B, window time.Duration) []time.Duration {
	first := w.clock.now().Add(-w.terms.Interval)
	deadline := w.terms.Due(3) + w.terms.Grace
	const warmUp = time.Second // the first look at everybody, and the node's first answer
	w.clock.run(first.Add(deadline - warmUp))
	ctx, cancel := context.WithTimeout(b.Context(), warmUp+window+200*time.Millisecond)
	defer cancel()
	if err := w.Run(ctx); ctx.Err() == nil {
		b.Fatal(err)
	}
	var late []time.Duration
	for i, h := range w.hashes {
		at := w.startOf(first, i).Add(deadline)
		if !at.Before(first.Add(deadline + window)) {
			break
		}
		cut, ok := w.carrier.cut[h.Handle()]
		if !ok {
			b.Fatalf("pay stream %d was not cut", i)
		}
		if cut.Before(at) {
			b.Fatalf("pay stream %d was cut %s before its deadline", i, at.Sub(cut))
		}
		late = append(late, cut.Sub(at))
	}
	slices.Sort(late)
	return late
}

// benchClock is set by hand until it runs.
type benchClock struct {
	mu    sync.Mutex
	at    time.Time
	since time.Time // when it began to run; zero before
}

func (c *benchClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.since.IsZero() {
		return c.at
	}
	return c.at.Add(time.Since(c.since))
}

func (c *benchClock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = t
}

func (c *benchClock) run(from time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.since = from, time.Now()
}

// cutCarrier remembers when it was told to cut.
type cutCarrier struct {
	clock *benchClock
	cut   map[paystream.Handle]time.Time // under the payee's lock
}

func (c *cutCarrier) Stop(h paystream.Handle, _ paystream.Reason) {
	if c.cut == nil {
		c.cut = make(map[paystream.Handle]time.Time)
	}
	c.cut[h] = c.clock.now()
}

func (*cutCarrier) Allow(paystream.Handle, int64)              {}
func (*cutCarrier) Move(_, _ paystream.Handle)                 {}
func (*cutCarrier) Used(paystream.Handle) (n int64)            { return n }
func (*cutCarrier) Pause(bool)                                 {}
func (promptNode) DeleteInvoice(context.Context, string) error { return nil }

// promptNode has nothing to deliver, and says so after a millisecond.
type promptNode struct{ clock *benchClock }

func (promptNode) Run(ctx context.Context, _ paystream.Position, _ paystream.Sink) error {
	<-ctx.Done()
	return ctx.Err()
}

func (n promptNode) Sync(ctx context.Context) (time.Time, error) {
	asked := n.clock.now()
	select {
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	case <-time.After(time.Millisecond):
		return asked, nil
	}
}

func (promptNode) Invoice(_ context.Context, label string, _ int64, _ string) (string, error) {
	return label, nil
}

// nullJournal forgets everything at once: what remains is the engine.
type nullJournal struct{}

func (nullJournal) LoadPayee(context.Context, time.Time) (s paystream.PayeeState, err error) {
	return s, nil
}

func (nullJournal) CommitPayee(context.Context, paystream.PayeeBatch) ([]string, error) {
	return nil, nil
}
