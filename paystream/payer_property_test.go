package paystream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
	"pgregory.net/rapid"
)

// Whatever the order of wallet failures, late successes and kills: each round is
// paid at most once, at most one payment is unsettled, nothing is paid that the
// journal does not know, and in the end the node, the journal and the budget
// agree to the msat.
func TestPayerPaysEachRoundOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := payerLife{
			luck:     rapid.SliceOfN(rapid.Uint8(), 0, 60).Draw(rt, "luck"),
			limit:    rapid.SampledFrom([]int64{100_000, 6_000, 1_500}).Draw(rt, "budget"),
			grace:    rapid.SampledFrom([]time.Duration{time.Second, 15 * time.Second, time.Minute}).Draw(rt, "grace"),
			feeMsat:  rapid.SampledFrom([]int64{0, 0, 500}).Draw(rt, "opening fee"),
			routing:  rapid.SampledFrom([]int64{0, 50, 300}).Draw(rt, "routing"),
			eager:    rapid.Bool().Draw(rt, "eager"),
			kills:    rapid.SliceOfN(rapid.IntRange(0, 24), 0, 5).Draw(rt, "kills"),
			downtime: time.Duration(rapid.IntRange(0, 90).Draw(rt, "downtime")) * time.Second,
		}
		var err error
		synctest.Test(t, func(t *testing.T) { err = l.run(t.Context()) })
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// payerLife is a payer that is killed and started again while its node and its
// relay misbehave as drawn.
type payerLife struct {
	luck     []uint8 // what becomes of one question after another; 0 is well
	limit    int64
	grace    time.Duration
	feeMsat  int64
	routing  int64
	eager    bool  // bytes run out all the time
	kills    []int // after so many writes, doubled; odd: the last is not durable
	downtime time.Duration

	mu     sync.Mutex
	node   *payerNode
	books  *payerBooks
	relay  *payerRelay
	faults []error // promises that were broken
}

func (l *payerLife) next() uint8 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.luck) == 0 {
		return 0
	}
	n := l.luck[0]
	l.luck = l.luck[1:]
	return n
}

func (l *payerLife) fault(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, fmt.Errorf(format, args...))
}

func (l *payerLife) run(ctx context.Context) error {
	l.node, l.books = newPayerNode(), newPayerBooks()
	terms := payerTerms()
	terms.Grace, terms.FeeMsat = l.grace, l.feeMsat
	l.relay = newPayerRelay(l.node, terms)
	if l.feeMsat > 0 {
		l.relay.demand, l.relay.fee = &paystream.Demand{DueMsat: l.feeMsat}, l.feeMsat
	}
	l.node.fee = l.routing

	end := time.Now().Add(15 * time.Minute)
	var purse *payerPurse
	for n := 0; ; n++ {
		kill := -1
		if n < len(l.kills) {
			kill = l.kills[n]
		}
		purse = l.purse()
		if l.generation(ctx, purse, n == 0, kill, end) {
			break
		}
		time.Sleep(l.downtime)
	}
	return errors.Join(append(l.faults, l.verdict(purse))...)
}

// purse is a budget that was loaded from the books.
func (l *payerLife) purse() *payerPurse {
	var list []policies.Spending
	for _, y := range l.books.payments {
		switch {
		case y.Step == paystream.StepPaid:
			list = append(list, policies.Spending{Spend: y.Spend(), Msat: y.SentMsat, At: y.Settled})
		case y.Step.Open():
			list = append(list, policies.Spending{Spend: y.Spend(), Msat: y.HeldMsat(), At: y.Created, Held: true})
		}
	}
	purse := newPayerPurse(l.limit)
	purse.b.Load(time.Now(), list)
	return purse
}

// generation is one life of the process; it reports whether it was not killed.
func (l *payerLife) generation(ctx context.Context, purse *payerPurse, first bool, kill int, end time.Time) bool {
	g := &payerGeneration{life: l, killed: make(chan struct{})}
	g.writes.Store(int64(kill / 2))
	g.mortal, g.lossy = kill >= 0, kill%2 == 1
	policy := policies.DefaultPayment()
	p := paystream.NewPayer(paystream.PayerConfig{Wallet: g, Journal: g, Budget: purse, Policy: policy, Random: func() float64 { return 0.9 }})
	live, err := p.Recover(ctx)
	if err != nil {
		l.fault("Recover: %w", err)
		return true
	}
	running, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { p.Run(running) })
	for _, st := range live {
		if err := p.Resume(st.Handle, g); err != nil {
			l.fault("Resume: %w", err)
		}
	}
	if first {
		wg.Go(func() {
			p.Open(running, paystream.OpenRequest{Terms: l.relay.terms, Link: g, Circuit: "7", Hop: 3, Controller: "alice"})
		})
	}
	if l.eager {
		wg.Go(func() {
			for n := int64(1); running.Err() == nil; n++ {
				for _, st := range p.PayStreams() {
					p.NoteBytes(st.Handle, n*50<<20)
				}
				time.Sleep(10 * time.Second)
			}
		})
	}
	survived := false
	select {
	case <-g.killed:
	case <-time.After(time.Until(end)):
		l.node.decide(paystream.PaymentFailed) // what hung is over some day
		time.Sleep(10 * time.Minute)
		survived = !g.dead.Load()
	}
	stop()
	wg.Wait()
	return survived
}

func (l *payerLife) verdict(purse *payerPurse) error {
	var paid []paystream.PaymentRecord
	for _, y := range l.books.payments {
		if y.Step == paystream.StepPaid {
			paid = append(paid, y)
		}
		if y.Step.Open() {
			return fmt.Errorf("still open in the journal: %+v", y)
		}
	}
	slices.SortFunc(paid, func(a, b paystream.PaymentRecord) int { return a.Round - b.Round })
	for i, y := range paid[:max(0, len(paid)-1)] {
		if after := paid[i+1]; after.Round <= y.Through {
			return fmt.Errorf("round %d was paid by %+v and by %+v", after.Round, y, after)
		}
	}
	sent, n := l.node.sentMsat()
	booked, m := l.books.paid()
	held, spent := purse.totals()
	if sent != booked || n != m || sent != spent || held != 0 {
		return fmt.Errorf("the node sent %d msat in %d payments, the journal has %d in %d, the budget %d and %d held", sent, n, booked, m, spent, held)
	}
	if sent > l.limit {
		return fmt.Errorf("%d msat were spent, the budget is %d", sent, l.limit)
	}
	if most := l.feeMsat + l.relay.terms.Schedule().TotalMsat(); l.relay.received() > most {
		return fmt.Errorf("the relay got %d msat, everything costs %d", l.relay.received(), most)
	}
	return nil
}

// payerGeneration is everything that one life of the process sees of the world.
// Once it is killed it changes nothing any more.
type payerGeneration struct {
	life   *payerLife
	mortal bool
	lossy  bool // the write that it dies of is not durable
	writes atomic.Int64
	dead   atomic.Bool
	killed chan struct{}
}

var errPayerKilled = errors.New("killed")

func (g *payerGeneration) write(save func() error) error {
	if g.dead.Load() {
		return errPayerKilled
	}
	if !g.mortal || g.writes.Add(-1) >= 0 {
		return save()
	}
	if g.dead.Swap(true) {
		return errPayerKilled
	}
	if !g.lossy {
		save()
	}
	close(g.killed)
	return errPayerKilled
}

func (g *payerGeneration) LoadPayer(ctx context.Context) (paystream.PayerState, error) {
	return g.life.books.LoadPayer(ctx)
}

func (g *payerGeneration) SavePayStream(ctx context.Context, r paystream.PayerRecord) error {
	return g.write(func() error { return g.life.books.SavePayStream(ctx, r) })
}

func (g *payerGeneration) SavePayment(ctx context.Context, r paystream.PaymentRecord) error {
	return g.write(func() error { return g.life.books.SavePayment(ctx, r) })
}

func (g *payerGeneration) Secret(ctx context.Context) ([32]byte, error) {
	return g.life.books.Secret(ctx)
}

func (g *payerGeneration) FetchInvoice(ctx context.Context, req paystream.InvoiceRequest) (paystream.Invoice, error) {
	time.Sleep(20 * time.Millisecond)
	if g.dead.Load() {
		return paystream.Invoice{}, paystream.ErrUnavailable
	}
	switch g.life.next() % 8 {
	case 1:
		return paystream.Invoice{}, paystream.ErrTryAgain
	case 2:
		return paystream.Invoice{}, paystream.ErrRefused
	case 3:
		return paystream.Invoice{}, paystream.ErrUnavailable
	}
	return g.life.node.FetchInvoice(ctx, req)
}

func (g *payerGeneration) CheckInvoice(ctx context.Context, req paystream.InvoiceRequest, invoice string) (paystream.Invoice, error) {
	return g.life.node.CheckInvoice(ctx, req, invoice)
}

func (g *payerGeneration) Lookup(ctx context.Context, hash string) (paystream.Payment, error) {
	time.Sleep(10 * time.Millisecond)
	if g.dead.Load() || g.life.next()%4 == 1 {
		return paystream.Payment{}, paystream.ErrUnavailable
	}
	return g.life.node.Lookup(ctx, hash)
}

func (g *payerGeneration) Pay(ctx context.Context, req paystream.PayRequest) (paystream.Payment, error) {
	if g.dead.Load() {
		return paystream.Payment{}, paystream.ErrUnavailable
	}
	l, n := g.life, g.life.next()
	hash := req.Invoice.PaymentHash
	l.checkPay(hash)
	outcome, err := paystream.PaymentComplete, error(nil)
	switch n % 9 {
	case 1:
		outcome, err = paystream.PaymentFailed, paystream.ErrTryAgain
	case 2:
		outcome, err = paystream.PaymentFailed, paystream.ErrRefused
	case 3, 4, 5: // decided later, one way or the other
		outcome, err = paystream.PaymentPending, paystream.ErrHeld
		if n%2 == 0 {
			err = paystream.ErrUnavailable
		}
		time.AfterFunc(time.Duration(n)*time.Second/2, func() {
			if n%3 == 0 {
				l.node.decide(paystream.PaymentFailed)
			} else {
				l.node.decide(paystream.PaymentComplete)
			}
		})
	case 6: // settled, and nobody heard
		err = paystream.ErrUnavailable
	case 7: // it never got to the node
		return paystream.Payment{}, paystream.ErrUnavailable
	case 8: // it got to the node, which begins later, within the time that it was given
		time.AfterFunc(req.RetryFor*time.Duration(n)/256, func() {
			l.node.locked(func() {
				if inv := l.node.invoices[hash]; inv.status != paystream.PaymentComplete {
					l.node.settleLocked(inv)
				}
			})
		})
		return paystream.Payment{}, paystream.ErrUnavailable
	}
	l.node.locked(func() {
		l.node.onPay = func(*payerInvoice) (paystream.PaymentStatus, error) { return outcome, err }
	})
	got, err := l.node.Pay(ctx, req)
	time.Sleep(50 * time.Millisecond)
	if g.dead.Load() {
		return paystream.Payment{}, paystream.ErrUnavailable
	}
	return got, err
}

// checkPay holds a payment that begins to the promises.
func (l *payerLife) checkPay(hash string) {
	l.books.mu.Lock()
	var mine *paystream.PaymentRecord
	for _, y := range l.books.payments {
		if y.PaymentHash == hash && y.Step == paystream.StepPaying {
			mine = &y
		}
	}
	l.books.mu.Unlock()
	if mine == nil {
		l.fault("paying %s, which the journal does not know to be", hash)
		return
	}
	l.node.mu.Lock()
	defer l.node.mu.Unlock()
	for _, inv := range l.node.invoices {
		other := inv.PaymentHash != hash
		if other && inv.status == paystream.PaymentPending {
			l.faults = append(l.faults, fmt.Errorf("paying %s while %s is pending", hash, inv.PaymentHash))
		}
		if other && inv.note == mine.Note && inv.status == paystream.PaymentComplete {
			l.faults = append(l.faults, fmt.Errorf("paying %s for a note that %s paid", hash, inv.PaymentHash))
		}
	}
}

func (g *payerGeneration) Open(ctx context.Context, in paystream.Intent) (paystream.Answer, error) {
	time.Sleep(30 * time.Millisecond)
	if g.dead.Load() || g.life.next()%5 == 1 {
		return paystream.Answer{}, context.DeadlineExceeded
	}
	return g.life.relay.Open(ctx, in)
}

func (g *payerGeneration) View(ctx context.Context, h paystream.PaymentIDHash) (paystream.Answer, error) {
	time.Sleep(30 * time.Millisecond)
	if g.dead.Load() || g.life.next()%5 == 1 {
		return paystream.Answer{}, context.DeadlineExceeded
	}
	return g.life.relay.View(ctx, h)
}

func (g *payerGeneration) End(ctx context.Context, h paystream.PaymentIDHash, p paystream.Preimage) (paystream.Answer, error) {
	return g.life.relay.End(ctx, h, p)
}

func (g *payerGeneration) Invoice(ctx context.Context, h paystream.PaymentIDHash, round int, msat int64) (string, error) {
	return g.life.relay.Invoice(ctx, h, round, msat)
}
