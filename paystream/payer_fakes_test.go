package paystream_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
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

// payerNode is a Lightning network with one payer and one payee. It settles what
// it is told to settle and remembers everything, as a node does.
type payerNode struct {
	mu       sync.Mutex
	invoices map[string]*payerInvoice // by payment hash
	credits  func(note paystream.RoundID, msat int64)

	fee     int64                                                // what routing costs
	onFetch func(paystream.InvoiceRequest) error                 // fails a fetch
	onPay   func(*payerInvoice) (paystream.PaymentStatus, error) // what becomes of a payment
	away    bool                                                 // does not answer
	slow    func()                                               // before a payment
	fetches []paystream.InvoiceRequest
}

type payerInvoice struct {
	paystream.Invoice
	note   paystream.RoundID
	status paystream.PaymentStatus
	sent   int64
	pays   int
}

func newPayerNode() *payerNode { return &payerNode{invoices: make(map[string]*payerInvoice)} }

func (n *payerNode) locked(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
}

func (n *payerNode) setAway(away bool) { n.locked(func() { n.away = away }) }

func (n *payerNode) FetchInvoice(ctx context.Context, req paystream.InvoiceRequest) (paystream.Invoice, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.away {
		return paystream.Invoice{}, paystream.ErrUnavailable
	}
	n.fetches = append(n.fetches, req)
	if n.onFetch != nil {
		if err := n.onFetch(req); err != nil {
			return paystream.Invoice{}, err
		}
	}
	return n.invoiceLocked("hash:"+req.Metadata, req), nil
}

func (n *payerNode) invoiceLocked(hash string, req paystream.InvoiceRequest) paystream.Invoice {
	if n.invoices[hash] == nil {
		n.invoices[hash] = &payerInvoice{note: req.Note, Invoice: paystream.Invoice{
			String: "lni1" + hash, PaymentHash: hash, AmountMsat: req.AmountMsat, Expires: time.Now().Add(2 * time.Hour)}}
	}
	return n.invoices[hash].Invoice
}

func (n *payerNode) CheckInvoice(ctx context.Context, req paystream.InvoiceRequest, invoice string) (paystream.Invoice, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.invoiceLocked("bolt11:"+invoice, req), nil
}

func (n *payerNode) Pay(ctx context.Context, req paystream.PayRequest) (paystream.Payment, error) {
	if n.slow != nil {
		n.slow()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.away {
		return paystream.Payment{}, paystream.ErrUnavailable
	}
	inv := n.invoices[req.Invoice.PaymentHash]
	inv.pays++
	if inv.status == paystream.PaymentComplete {
		return n.paymentLocked(inv), nil
	}
	if inv.status == paystream.PaymentPending {
		return paystream.Payment{}, paystream.ErrHeld
	}
	if n.fee > req.MaxFeeMsat {
		inv.status = paystream.PaymentFailed
		return paystream.Payment{}, paystream.ErrFee
	}
	status, err := paystream.PaymentComplete, error(nil)
	if n.onPay != nil {
		status, err = n.onPay(inv)
	}
	inv.status = status
	if status == paystream.PaymentComplete {
		n.settleLocked(inv)
	}
	if err != nil {
		return paystream.Payment{}, err
	}
	return n.paymentLocked(inv), nil
}

func (n *payerNode) settleLocked(inv *payerInvoice) {
	inv.status, inv.sent = paystream.PaymentComplete, inv.AmountMsat+n.fee
	if n.credits != nil {
		n.credits(inv.note, inv.AmountMsat)
	}
}

// decide ends every pending payment one way or the other.
func (n *payerNode) decide(status paystream.PaymentStatus) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, inv := range n.invoices {
		if inv.status == paystream.PaymentPending {
			inv.status = status
			if status == paystream.PaymentComplete {
				n.settleLocked(inv)
			}
		}
	}
}

func (n *payerNode) paymentLocked(inv *payerInvoice) paystream.Payment {
	return paystream.Payment{PaymentHash: inv.PaymentHash, Status: inv.status, AmountMsat: inv.AmountMsat, SentMsat: inv.sent}
}

func (n *payerNode) Lookup(ctx context.Context, hash string) (paystream.Payment, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.away {
		return paystream.Payment{}, paystream.ErrUnavailable
	}
	inv := n.invoices[hash]
	if inv == nil {
		return paystream.Payment{}, nil
	}
	return n.paymentLocked(inv), nil
}

// sentMsat is all that the node gave away, and how many payments settled.
func (n *payerNode) sentMsat() (sum int64, count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, inv := range n.invoices {
		if inv.status == paystream.PaymentComplete {
			sum += inv.sent
			count++
		}
	}
	return sum, count
}

// payerRelay is a relay with one pay stream.
type payerRelay struct {
	mu          sync.Mutex
	terms       policies.Terms
	answer      func() error // to the next intent or question, if not nil
	demand      *paystream.Demand
	demandRound int
	fee         int64
	start       time.Time
	intents     []paystream.Intent
	balance     map[paystream.RoundID]int64 // everything that was received
	hash        paystream.PaymentIDHash
	ended       bool
	closed      bool
	begins      time.Time // of a continuation
	moved       time.Time
	clock       func() time.Time // the payer's, if it is not ours
	views       int
	asked11     int
}

func newPayerRelay(n *payerNode, terms policies.Terms) *payerRelay {
	r := &payerRelay{terms: terms, balance: make(map[paystream.RoundID]int64)}
	n.locked(func() { n.credits = r.credit })
	return r
}

// credit is how its node tells the relay of a payment.
func (r *payerRelay) credit(note paystream.RoundID, msat int64) {
	r.locked(func() { r.balance[note] += msat })
}

func (r *payerRelay) locked(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// viewed is how often it was asked for its view.
func (r *payerRelay) viewed() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.views
}

func (r *payerRelay) received() (sum int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.balance {
		sum += v
	}
	return sum
}

func (r *payerRelay) Open(ctx context.Context, in paystream.Intent) (paystream.Answer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := time.Now()
	r.intents = append(r.intents, in)
	if r.answer != nil {
		if err := r.answer(); err != nil {
			return paystream.Answer{}, err
		}
	}
	if r.demand != nil {
		note := in.Hash.RoundID(in.TermsHash, r.demandRound)
		if r.balance[note] < r.demand.DueMsat {
			return paystream.Answer{}, &paystream.Demand{DueMsat: r.demand.DueMsat, Note: note}
		}
	}
	if r.hash != in.Hash {
		r.hash, r.start = in.Hash, asked
		if !r.begins.IsZero() {
			r.start = r.begins
		}
	}
	return r.viewLocked(in.Hash)
}

func (r *payerRelay) viewLocked(h paystream.PaymentIDHash) (paystream.Answer, error) {
	now := time.Now()
	if h != r.hash {
		return paystream.Answer{}, paystream.ErrUnknown
	}
	v := paystream.View{Handle: h.Handle(), Elapsed: now.Sub(r.start), FeeMsat: r.fee}
	for _, msat := range r.balance {
		v.BalanceMsat += msat
	}
	s := r.terms.Schedule()
	v.PaidThrough = s.PaidThrough(v.BalanceMsat, r.fee)
	next := min(max(v.PaidThrough+1, s.FirstPriced()), r.terms.Rounds)
	late := r.start.Add(r.terms.Due(next) + r.terms.Grace)
	if r.moved.After(late) {
		late = r.moved
	}
	if v.PaidThrough < r.terms.Rounds && !now.Before(late) {
		r.closed = true
	}
	if r.closed {
		return paystream.Answer{View: v, Asked: r.askedAt(now)}, nil
	}
	if v.PaidThrough < r.terms.Rounds {
		v.DueMsat = r.fee + s.ThroughMsat(next) - v.BalanceMsat
	}
	v.DueIn = r.start.Add(r.terms.Due(next)).Sub(now)
	v.LateIn = late.Sub(now)
	return paystream.Answer{View: v, Asked: r.askedAt(now)}, nil
}

func (r *payerRelay) askedAt(now time.Time) time.Time {
	if r.clock != nil {
		return r.clock()
	}
	return now
}

func (r *payerRelay) View(ctx context.Context, h paystream.PaymentIDHash) (paystream.Answer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.views++
	if r.answer != nil {
		if err := r.answer(); err != nil {
			return paystream.Answer{}, err
		}
	}
	return r.viewLocked(h)
}

func (r *payerRelay) End(ctx context.Context, h paystream.PaymentIDHash, p paystream.Preimage) (paystream.Answer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.Hash() != h {
		return paystream.Answer{}, paystream.ErrPreimage
	}
	r.ended, r.closed = true, true
	return r.viewLocked(h)
}

func (r *payerRelay) Invoice(ctx context.Context, h paystream.PaymentIDHash, round int, msat int64) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked11++
	return fmt.Sprintf("lnbc%d-%d", round, msat), nil
}

// payerBooks keeps what it was told, while its disk lets it.
type payerBooks struct {
	mu       sync.Mutex
	streams  map[paystream.Handle]paystream.PayerRecord
	payments map[string]paystream.PaymentRecord
	broken   func(paystream.PaymentStep) bool // whether a write fails; of a pay stream, with no step
}

var errPayerDisk = errors.New("the disk is full")

func (j *payerBooks) breakDown(when func(paystream.PaymentStep) bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.broken = when
}

func newPayerBooks() *payerBooks {
	return &payerBooks{streams: make(map[paystream.Handle]paystream.PayerRecord), payments: make(map[string]paystream.PaymentRecord)}
}

func (j *payerBooks) LoadPayer(context.Context) (paystream.PayerState, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var st paystream.PayerState
	for _, r := range j.streams {
		if r.Closed.IsZero() {
			r.PaidMsat, r.Attempts = 0, 0
			for _, y := range j.payments {
				if y.Handle == r.Handle {
					r.Attempts = max(r.Attempts, y.Attempt)
					if y.Step == paystream.StepPaid {
						r.PaidMsat += y.AmountMsat
					}
				}
			}
			st.Streams = append(st.Streams, r)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(j.payments)) {
		if j.payments[k].Step.Open() {
			st.Payments = append(st.Payments, j.payments[k])
		}
	}
	return st, nil
}

func (j *payerBooks) SavePayStream(_ context.Context, r paystream.PayerRecord) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil && j.broken("") {
		return errPayerDisk
	}
	j.streams[r.Handle] = r
	return nil
}

func (j *payerBooks) SavePayment(_ context.Context, r paystream.PaymentRecord) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil && j.broken(r.Step) {
		return errPayerDisk
	}
	j.payments[fmt.Sprintf("%s %d", r.Handle, r.Attempt)] = r
	return nil
}

func (j *payerBooks) Secret(context.Context) ([32]byte, error) { return [32]byte{1, 2, 3}, nil }

// paid sums what the journal says was spent.
func (j *payerBooks) paid() (sum int64, count int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, y := range j.payments {
		if y.Step == paystream.StepPaid {
			sum += y.SentMsat
			count++
		}
	}
	return sum, count
}

// payerPurse is a budget that can be looked at meanwhile.
type payerPurse struct {
	mu sync.Mutex
	b  *policies.Budget
}

func newPayerPurse(limitMsat int64) *payerPurse {
	return &payerPurse{b: policies.NewBudget(policies.Limits{TotalMsat: limitMsat})}
}

func (b *payerPurse) Hold(now time.Time, s policies.Spend, msat int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Hold(now, s, msat)
}

func (b *payerPurse) Settle(key string, now time.Time, msat int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.Settle(key, now, msat)
}

func (b *payerPurse) Release(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.Release(key)
}

func (b *payerPurse) totals() (held, spent int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, u := range b.b.Left(time.Now()) {
		if u.Which == "total" {
			return u.HeldMsat, u.SpentMsat
		}
	}
	panic("no total")
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
