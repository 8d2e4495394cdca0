package paystream_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal"
	"github.com/el-tor/tops/policies"
)

const ourOffer = "our offer"

// relayTerms are the default terms, made shorter where a test wants it.
func relayTerms(edit ...func(*policies.Terms)) policies.Terms {
	t := policies.DefaultTerms("0123456789ABCDEF0123456789ABCDEF01234567",
		policies.Descriptor{Kind: policies.Offer, Value: "lno1example"}, netip.MustParseAddrPort("203.0.113.9:9402"))
	for _, e := range edit {
		e(&t)
	}
	return t
}

// fakeNode is a payee's Lightning node and the receiver that follows it: it keeps
// what was paid, pushes it while it answers, and says nothing while it is away.
type fakeNode struct {
	now func() time.Time // the machine's clock; may be set while nothing runs

	mu        sync.Mutex
	paid      []paystream.Settlement
	away      bool
	lazy      bool // pushes only when asked for the watermark: a backlog
	running   bool
	wanted    int // of paid, that a watermark waits for
	delivered int // of paid, that the sink has made durable
	batches   int // deliveries that were tried
	changed   chan struct{}
	labels    map[string]int64
	made      int // invoices
}

func newFakeNode() *fakeNode {
	return &fakeNode{now: time.Now, changed: make(chan struct{}), labels: make(map[string]int64)}
}

// set changes the node and wakes whoever waits for a change.
func (n *fakeNode) set(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
	close(n.changed)
	n.changed = make(chan struct{})
}

// until waits for something to be so; cond is called with the lock held.
func (n *fakeNode) until(ctx context.Context, cond func() bool) error {
	for {
		n.mu.Lock()
		ok, changed := cond(), n.changed
		n.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// settle pays amount under a note; the node has the money from now on.
func (n *fakeNode) settle(note paystream.RoundID, amountMsat int64) paystream.Settlement {
	return n.receive(paystream.Settlement{Note: string(note), OfferID: ourOffer, AmountMsat: amountMsat})
}

// receive settles an invoice of whatever kind.
func (n *fakeNode) receive(s paystream.Settlement) paystream.Settlement {
	n.set(func() {
		s.PayIndex = uint64(len(n.paid) + 1)
		s.PaymentHash, s.PaidAt = fmt.Sprintf("%064x", s.PayIndex), n.now()
		n.paid = append(n.paid, s)
	})
	return s
}

func (n *fakeNode) setAway(away bool) { n.set(func() { n.away = away }) }
func (n *fakeNode) setLazy(lazy bool) { n.set(func() { n.lazy = lazy }) }

// Run delivers like the real receiver: what the sink refuses it is given again.
func (n *fakeNode) Run(ctx context.Context, from paystream.Position, sink paystream.Sink) error {
	n.set(func() { n.running, n.delivered, n.wanted = true, int(from.PayIndex), 0 })
	defer n.set(func() { n.running = false })
	for {
		var batch []paystream.Settlement
		if err := n.until(ctx, func() bool {
			if n.away || n.lazy && n.wanted <= n.delivered {
				return false
			}
			batch = n.paid[n.delivered:]
			return len(batch) > 0
		}); err != nil {
			return err
		}
		err := sink.Deliver(ctx, batch)
		n.set(func() {
			n.batches++
			if err == nil {
				n.delivered += len(batch)
			}
		})
		if err != nil {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
			}
		}
	}
}

// Sync waits until everything that was paid when the node answered is durable,
// the gap that Run walks after a start included.
func (n *fakeNode) Sync(ctx context.Context) (time.Time, error) {
	if err := n.until(ctx, func() bool { return n.running && !n.away }); err != nil {
		return time.Time{}, err
	}
	var asked time.Time
	var want int
	n.set(func() {
		asked, want = n.now(), len(n.paid)
		n.wanted = want
	})
	return asked, n.until(ctx, func() bool { return n.delivered >= want })
}

func (n *fakeNode) Invoice(_ context.Context, label string, amountMsat int64, _ string) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if have, ok := n.labels[label]; ok && have != amountMsat {
		return "", paystream.ErrPaid
	}
	if _, ok := n.labels[label]; !ok {
		n.made++
	}
	n.labels[label] = amountMsat
	return "lnbc-" + label, nil
}

func (n *fakeNode) DeleteInvoice(_ context.Context, label string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.labels, label)
	return nil
}

// fakeCarrier remembers what it was told.
type fakeCarrier struct {
	mu      sync.Mutex
	allowed map[paystream.Handle]int64
	used    map[paystream.Handle]int64
	stopped map[paystream.Handle]paystream.Reason
	cutAt   map[paystream.Handle]time.Time
	moved   map[paystream.Handle]paystream.Handle
	paused  bool
}

func newFakeCarrier() *fakeCarrier {
	return &fakeCarrier{allowed: map[paystream.Handle]int64{}, used: map[paystream.Handle]int64{},
		stopped: map[paystream.Handle]paystream.Reason{}, cutAt: map[paystream.Handle]time.Time{}, moved: map[paystream.Handle]paystream.Handle{}}
}

func (c *fakeCarrier) Allow(h paystream.Handle, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.allowed[h] = n
}

func (c *fakeCarrier) Stop(h paystream.Handle, r paystream.Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped[h], c.cutAt[h] = r, time.Now()
}

func (c *fakeCarrier) Move(old, new paystream.Handle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moved[old] = new
}

func (c *fakeCarrier) Used(h paystream.Handle) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used[h]
}

func (c *fakeCarrier) Pause(p bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = p
}

func (c *fakeCarrier) isPaused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paused
}

func (c *fakeCarrier) stopReason(h paystream.Handle) (paystream.Reason, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.stopped[h]
	return r, ok
}

// relay is a payee with its surroundings, inside a synctest bubble.
type relay struct {
	t       testing.TB
	terms   policies.Terms
	node    *fakeNode
	carrier *fakeCarrier
	journal *memjournal.Journal
	opening func(paystream.Load) paystream.Opening
	books   paystream.PayeeJournal // what the payee writes to; nil: journal
	max     int                    // pay streams
	shift   time.Duration          // how wrong the machine's clock is

	*paystream.Payee
	events []paystream.Event
	errors []error
	cancel context.CancelFunc
	done   chan struct{}
}

func newRelay(t testing.TB, terms policies.Terms) *relay {
	return &relay{t: t, terms: terms, node: newFakeNode(), carrier: newFakeCarrier(), journal: memjournal.New()}
}

// bubble runs a test in fake time with a relay under the given terms.
func bubble(t *testing.T, terms policies.Terms, f func(r *relay)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRelay(t, terms)
		r.start()
		defer r.kill()
		f(r)
	})
}

func (r *relay) start() {
	r.t.Helper()
	r.node.set(func() { r.node.now = r.now })
	if r.books == nil {
		r.books = r.journal
	}
	r.Payee = paystream.NewPayee(paystream.PayeeConfig{
		Terms: r.terms, Carrier: r.carrier, Receiver: r.node, Journal: r.books,
		Ours: func(id string) bool { return id == ourOffer },
		Now:  r.now, MaxPayStreams: r.max,
		Opening: func(l paystream.Load) paystream.Opening {
			if r.opening == nil {
				return paystream.OpenFree
			}
			return r.opening(l)
		},
		Emit:    func(e paystream.Event) { r.events = append(r.events, e) },
		OnError: func(err error) { r.errors = append(r.errors, err) },
	})
	ctx, cancel := context.WithCancel(context.Background())
	if err := r.Recover(ctx); err != nil {
		r.t.Fatal(err)
	}
	r.cancel, r.done = cancel, make(chan struct{})
	go func() {
		defer close(r.done)
		if err := r.Run(ctx); !errors.Is(err, context.Canceled) {
			r.t.Errorf("Run ended: %v", err)
		}
	}()
	synctest.Wait()
}

func (r *relay) now() time.Time { return time.Now().Add(r.shift) }

// kill ends the process without a word: what is not in the journal is lost.
func (r *relay) kill() {
	r.cancel()
	<-r.done
}

// restart is a crash, an absence and a new process with a carrier of its own.
func (r *relay) restart(absence time.Duration) {
	r.t.Helper()
	r.kill()
	time.Sleep(absence)
	r.carrier = newFakeCarrier()
	r.start()
}

// booked sums the books' entries of one kind for a pay stream.
func (r *relay) booked(h paystream.Handle, kind paystream.BookingKind) (msat int64) {
	for _, b := range r.journal.Bookings() {
		if b.Handle == h && b.Kind == kind {
			msat += b.AmountMsat
		}
	}
	return msat
}

// payer is what a test knows of one pay stream.
type payer struct {
	r        *relay
	preimage paystream.Preimage
	hash     paystream.PaymentIDHash
	handle   paystream.Handle
	intent   paystream.Intent
	start    time.Time
}

func (r *relay) newPayer(edit ...func(*paystream.Intent)) *payer {
	p := r.newPayerFrom(paystream.NewPreimage())
	for _, e := range edit {
		e(&p.intent)
	}
	return p
}

func (r *relay) newPayerFrom(secret paystream.Preimage) *payer {
	h := secret.Hash()
	return &payer{r: r, preimage: secret, hash: h, handle: h.Handle(), intent: paystream.Intent{Hash: h, TermsHash: r.terms.Hash()}}
}

// open makes a payer and has it admitted.
func (r *relay) open(edit ...func(*paystream.Intent)) *payer {
	r.t.Helper()
	p := r.newPayer(edit...)
	p.admit()
	return p
}

func (p *payer) admit() paystream.View {
	p.r.t.Helper()
	v, err := p.r.Admit(p.r.t.Context(), p.intent)
	if err != nil {
		p.r.t.Fatalf("Admit: %v", err)
	}
	p.start = time.Now().Add(-v.Elapsed)
	return v
}

func (p *payer) note(round int) paystream.RoundID {
	return p.hash.RoundID(p.intent.TermsHash, round)
}

// pay settles one round's price.
func (p *payer) pay(round int) {
	p.payMsat(round, p.r.terms.Schedule().PriceMsat(round))
}

func (p *payer) payMsat(round int, amountMsat int64) {
	p.r.node.settle(p.note(round), amountMsat)
	synctest.Wait()
}

func (p *payer) view() paystream.View {
	p.r.t.Helper()
	v, err := p.r.View(p.r.t.Context(), p.hash)
	if err != nil {
		p.r.t.Fatalf("View: %v", err)
	}
	return v
}

// sleepUntil sleeps until a time since the pay stream's start and lets
// everything happen that happens then.
func (p *payer) sleepUntil(since time.Duration) {
	time.Sleep(time.Until(p.start.Add(since)))
	synctest.Wait()
}

func (p *payer) wantCut(reason paystream.Reason) {
	p.r.t.Helper()
	got, ok := p.r.carrier.stopReason(p.handle)
	if !ok || got != reason {
		p.r.t.Fatalf("stopped %v (%q), want a cut for %s", ok, got, reason)
	}
}

func (p *payer) wantServed() {
	p.r.t.Helper()
	if got, ok := p.r.carrier.stopReason(p.handle); ok {
		p.r.t.Fatalf("cut for %s, want it served", got)
	}
}
