package paystream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal"
	"github.com/el-tor/tops/policies"
	"pgregory.net/rapid"
)

// Whatever the order of payments, crashes, retries, backlog and outages: what is
// credited was received, once; nobody is cut who paid in time; nobody is served
// beyond the bounds of the protocol; and the journal knows what the engine does.
func TestPayeeKeepsItsPromises(t *testing.T) {
	step := rapid.Custom(func(t *rapid.T) payeeStep {
		return payeeStep{
			do:  rapid.SampledFrom(payeeSteps).Draw(t, "do"),
			who: rapid.IntRange(0, 5).Draw(t, "who"),
			n:   rapid.IntRange(0, 59).Draw(t, "n"),
		}
	})
	rapid.Check(t, func(rt *rapid.T) {
		l := payeeLife{
			terms: rapid.IntRange(0, len(payeeTermsVariants)-1).Draw(rt, "terms"),
			steps: rapid.SliceOfN(step, 1, 60).Draw(rt, "steps"),
		}
		synctest.Test(t, func(t *testing.T) { l.run(t) })
		if err := errors.Join(l.faults...); err != nil {
			rt.Fatal(err)
		}
	})
}

// payeeStep is one thing that happens to a relay.
type payeeStep struct {
	do     string
	who, n int
}

func (s payeeStep) String() string { return fmt.Sprintf("%s(%d, %d)", s.do, s.who, s.n) }

// The likely ones are listed more than once.
var payeeSteps = []string{
	"open", "open", "open", "pay", "pay", "pay", "pay", "pay", "sleep", "sleep", "sleep", "sleep", "sleep",
	"again", "own ids", "foreign", "noise", "invoice", "continue", "continue", "end", "terms", "opening",
	"crash", "crash", "set back", "journal", "lost answer", "lost answer", "node", "node", "backlog", "backlog", "backlog", "again and again", "use",
}

// payeeTermsVariants are few rounds and many, with a fee and without.
var payeeTermsVariants = []policies.Terms{
	relayTerms(),
	relayTerms(func(t *policies.Terms) { t.Rounds, t.Prepay, t.RateMsat = 3, 3, 500 }),
	relayTerms(func(t *policies.Terms) { t.Rounds, t.Prepay, t.FeeMsat = 2, 2, 1500 }),
	relayTerms(func(t *policies.Terms) { t.FreeRounds, t.Rounds, t.Prepay, t.Grace = 0, 4, 4, time.Second }),
	relayTerms(func(t *policies.Terms) { t.FreeRounds, t.Interval, t.Grace = 3, 20*time.Second, 20*time.Second }),
}

func payeeSpan(n int) time.Duration {
	spans := [...]time.Duration{time.Millisecond, time.Second, 4 * time.Second, 10 * time.Second, 15 * time.Second, 29 * time.Second,
		45 * time.Second, time.Minute, 75 * time.Second, 2 * time.Minute, 5 * time.Minute, 11 * time.Minute}
	return spans[n%len(spans)]
}

var (
	errDiskFull   = errors.New("disk full")
	errAnswerLost = errors.New("the connection to the database is lost")
)

// lossyBooks is a journal behind a connection that is lost behind a COMMIT: what
// is said to have failed is durable all the same, now or by the next commit.
type lossyBooks struct {
	*memjournal.Journal

	mu   sync.Mutex // guards those below
	lose int        // so many answers more
	late bool       // and those commits happen later
	last time.Time  // that an answer was lost
	held []paystream.PayeeBatch
}

// lately reports whether the payee cannot know yet what the journal has.
func (b *lossyBooks) lately() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Since(b.last) < payeeNotices
}

func (b *lossyBooks) set(lose int, late bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lose, b.late = lose, late
}

func (b *lossyBooks) CommitPayee(ctx context.Context, batch paystream.PayeeBatch) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.releaseLocked(ctx); err != nil {
		return nil, err
	}
	switch {
	case b.lose == 0:
		return b.Journal.CommitPayee(ctx, batch)
	case b.late:
		batch.Streams, batch.Bookings = slices.Clone(batch.Streams), slices.Clone(batch.Bookings)
		b.held = append(b.held, batch)
	default:
		if _, err := b.Journal.CommitPayee(ctx, batch); err != nil {
			return nil, err
		}
	}
	b.lose, b.last = b.lose-1, time.Now()
	return nil, errAnswerLost
}

func (b *lossyBooks) release(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.releaseLocked(ctx)
}

func (b *lossyBooks) releaseLocked(ctx context.Context) error {
	for len(b.held) > 0 {
		if _, err := b.Journal.CommitPayee(ctx, b.held[0]); err != nil {
			return err
		}
		b.held = b.held[1:]
	}
	return nil
}

// payeeLife is a relay, its payers, and what a bystander who sees everything
// knows of them.
type payeeLife struct {
	terms  int
	steps  []payeeStep
	faults []error

	*relay
	lossy   *lossyBooks
	payers  []*payeeCustomer
	failing bool      // the journal
	doubt   bool      // the journal failed once: what was decided then may be decided again
	trouble time.Time // until when the node, the journal or the process was away
	shifted time.Duration
	settled map[paystream.RoundID][]payeeMoney
}

type payeeMoney struct {
	at   time.Time
	msat int64
}

// payeeCustomer is one pay stream as a bystander sees it.
type payeeCustomer struct {
	*payer
	terms    policies.Terms
	ids      map[paystream.RoundID]bool
	admitted bool
	began    time.Time // true time
	asked    time.Time // when it may have begun, since nobody knows what the journal has
	shifted  time.Duration
	feeMsat  int64
	late     map[int]time.Time // by round, as the payee said last, true time
	moves    map[int]int
	wasCut   bool
}

func (l *payeeLife) fault(format string, args ...any) {
	l.faults = append(l.faults, fmt.Errorf(format, args...))
}

// faultTB makes the failures of the helpers faults, so that a history shrinks.
type faultTB struct {
	testing.TB
	l *payeeLife
}

func (f faultTB) Fatal(args ...any)                 { f.l.fault("%s", fmt.Sprint(args...)) }
func (f faultTB) Fatalf(format string, args ...any) { f.l.fault(format, args...) }
func (f faultTB) Errorf(format string, args ...any) { f.l.fault(format, args...) }

func (l *payeeLife) run(t *testing.T) {
	l.relay = newRelay(faultTB{t, l}, payeeTermsVariants[l.terms])
	l.lossy = &lossyBooks{Journal: l.journal}
	l.books = l.lossy
	l.settled = make(map[paystream.RoundID][]payeeMoney)
	l.trouble = time.Now()
	l.start()
	for i, s := range l.steps {
		l.step(s)
		l.observe()
		if len(l.faults) > 0 {
			l.fault("after step %d, %s", i, s)
			l.kill()
			return
		}
	}
	l.heal()
	l.observe()
	l.restartAfter(0, 0)
	l.sleep(10 * time.Second)
	// In the end nothing is left of anybody.
	for range 2 {
		time.Sleep(paystream.RememberFor + 30*time.Minute)
		synctest.Wait()
		l.observe()
	}
	if p, n, u := l.Remembered(); p+n+u > 0 {
		l.fault("long after the end %d pay streams, %d notes, %d unclaimed payments are remembered", p, n, u)
	}
	l.kill()
}

// heal ends every trouble, and gives the payee the time to see it.
func (l *payeeLife) heal() {
	l.node.setLazy(false)
	l.setFailing(false)
	l.lossy.set(0, false)
	l.setAway(false)
	l.sleep(10 * time.Second)
}

func (l *payeeLife) setFailing(failing bool) {
	if l.failing = failing; failing {
		l.journal.Fail(errDiskFull)
		l.doubt = true
		return
	}
	l.journal.Fail(nil)
	l.trouble = time.Now()
}

// mayFail reports whether an error is one that the journal was told to make.
func (l *payeeLife) mayFail(err error) bool { return l.failing || errors.Is(err, errAnswerLost) }

func (l *payeeLife) setAway(away bool) {
	l.node.setAway(away)
	if !away {
		l.trouble = time.Now()
	}
}

// sleep looks often enough that no moved deadline is missed.
func (l *payeeLife) sleep(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(min(10*time.Second, time.Until(end)))
		synctest.Wait()
		l.observe()
	}
}

func (l *payeeLife) restartAfter(absence, setBack time.Duration) {
	if l.failing {
		l.setFailing(false) // a payee that cannot write does not start
	}
	l.lossy.set(0, false)
	before := l.durable()
	l.kill()
	if err := l.lossy.release(l.t.Context()); err != nil {
		l.fault("what the database still had to commit: %v", err)
	}
	time.Sleep(absence)
	l.shift -= setBack
	l.shifted += setBack
	l.carrier = newFakeCarrier()
	l.start()
	l.trouble = time.Now()
	for h, want := range before {
		got, err := l.View(l.t.Context(), h)
		if err != nil || got.BalanceMsat < want.BalanceMsat || got.FeeMsat != want.FeeMsat || got.Handle != want.Handle {
			l.fault("before the restart %+v, after it %+v, %v", want, got, err)
		}
		// A clock that was set back undoes nothing that was written, and one that
		// was not undoes nothing at all.
		if setBack == 0 && want.DueMsat > 0 && got.DueMsat > 0 && got.Elapsed != want.Elapsed+absence {
			l.fault("%s: elapsed %s, %s before a restart of %s", got.Handle, got.Elapsed, want.Elapsed, absence)
		}
	}
}

// durable is what the engine says of pay streams that the journal knows.
func (l *payeeLife) durable() map[paystream.PaymentIDHash]paystream.View {
	views := make(map[paystream.PaymentIDHash]paystream.View)
	st, err := l.journal.LoadPayee(l.t.Context(), l.now().Add(-paystream.RememberFor+time.Hour))
	if err != nil {
		l.fault("LoadPayee: %v", err)
	}
	for _, r := range st.Streams {
		if v, err := l.View(l.t.Context(), r.Hash); err == nil {
			views[r.Hash] = v
		}
	}
	return views
}

func (l *payeeLife) step(s payeeStep) {
	switch s.do {
	case "open":
		l.admit(l.customer())
	case "own ids":
		c := l.customer()
		for id := range c.ids {
			delete(c.ids, id)
		}
		c.ids[c.note(0)] = true
		c.intent.RoundIDs = paystream.RoundIDs(paystream.Preimage(c.hash).Hash(), c.terms)[1:]
		for _, id := range c.intent.RoundIDs {
			c.ids[id] = true
		}
		l.admit(c)
	case "sleep":
		l.sleep(payeeSpan(s.n))
	case "noise":
		l.pay(paystream.Settlement{Note: fmt.Sprintf("%0*d", 63+s.n%2, s.n), OfferID: ourOffer, AmountMsat: 1000})
	case "terms":
		next := payeeTermsVariants[s.n%len(payeeTermsVariants)]
		if err := l.SetTerms(l.t.Context(), next); err == nil {
			l.relay.terms = next
		} else if !l.mayFail(err) {
			l.fault("SetTerms: %v", err)
		}
	case "opening":
		o := paystream.Opening(s.n % 3)
		l.opening = func(paystream.Load) paystream.Opening { return o }
	case "crash":
		l.restartAfter(payeeSpan(s.n), 0)
	case "set back":
		l.restartAfter(payeeSpan(s.who), payeeSpan(s.n))
	case "journal":
		l.setFailing(!l.failing)
	case "lost answer":
		l.lossy.set(1+s.n%3, s.who%2 == 0)
		l.doubt, l.trouble = true, time.Now()
	case "node":
		l.setAway(true)
		l.sleep(payeeSpan(s.n))
		if s.who > 1 { // else it stays away
			l.setAway(false)
		}
	case "backlog":
		l.node.setLazy(s.n%4 > 0)
	case "again and again":
		l.node.mu.Lock()
		batch := l.node.paid[min(s.n, l.node.delivered):l.node.delivered]
		l.node.mu.Unlock()
		if err := l.Deliver(l.t.Context(), batch); err != nil && !l.mayFail(err) {
			l.fault("the same settlements again: %v", err)
		}
	default:
		if len(l.payers) > 0 {
			l.stepOf(s, l.payers[max(0, len(l.payers)-1-s.who)])
		}
	}
	synctest.Wait()
}

// stepOf is what a payer does.
func (l *payeeLife) stepOf(s payeeStep, c *payeeCustomer) {
	amount := [...]int64{1000, 1000, 2000, 500, 1, 1500, 5000, 12_000}[s.n%8]
	note := c.anyID(s.n)
	switch s.do {
	case "pay":
		l.pay(paystream.Settlement{Note: string(note), OfferID: ourOffer, AmountMsat: amount})
	case "foreign":
		l.pay(paystream.Settlement{Note: string(note), OfferID: "another offer", AmountMsat: amount})
	case "invoice":
		if _, err := l.Invoice(l.t.Context(), c.hash, s.n%c.terms.Rounds, amount); err == nil {
			l.pay(paystream.Settlement{Label: string(c.anyID(s.n%c.terms.Rounds)) + "-0", AmountMsat: amount})
		}
	case "again":
		l.admit(c)
	case "continue":
		next := l.customer()
		c.continuing(&next.intent)
		l.admit(next)
	case "end":
		_, err := l.End(l.t.Context(), c.hash, c.preimage)
		if err != nil && !errors.Is(err, paystream.ErrUnknown) && !l.mayFail(err) {
			l.fault("End: %v", err)
		}
	case "use":
		l.carrier.mu.Lock()
		l.carrier.used[c.handle] += int64(s.n) << 18
		l.carrier.mu.Unlock()
		if s.who%2 == 0 {
			if err := l.Checkpoint(l.t.Context()); err != nil && !l.mayFail(err) {
				l.fault("Checkpoint: %v", err)
			}
		}
	}
}

func (l *payeeLife) customer() *payeeCustomer {
	// Preimages that are not random, so that a history can be repeated.
	c := &payeeCustomer{payer: l.newPayerFrom(paystream.Preimage{byte(len(l.payers)), byte(l.terms)}), terms: l.relay.terms,
		ids: make(map[paystream.RoundID]bool)}
	for _, id := range paystream.RoundIDs(c.hash, c.terms) {
		c.ids[id] = true
	}
	l.payers = append(l.payers, c)
	return c
}

// anyID is one of a customer's ids.
func (c *payeeCustomer) anyID(n int) paystream.RoundID {
	r := n % (c.terms.Rounds + 1)
	if r > 0 && c.intent.RoundIDs != nil {
		return c.intent.RoundIDs[r-1]
	}
	return c.note(r)
}

func (l *payeeLife) admit(c *payeeCustomer) {
	v, err := l.Admit(l.t.Context(), c.intent)
	if err != nil {
		if l.mayFail(err) {
			c.asked = time.Now()
		}
		return
	}
	began := time.Now().Add(-v.Elapsed)
	if c.admitted && began.Before(c.began) {
		l.fault("%s began at %s and, asked again, at %s", c.handle, c.began, began)
	}
	if !c.admitted || began.After(c.began) { // forgotten and begun again, or a clock set back
		c.beganAt(began, l.shifted)
	}
	c.admitted, c.feeMsat = true, v.FeeMsat
}

func (c *payeeCustomer) beganAt(began time.Time, shifted time.Duration) {
	c.began, c.shifted, c.asked = began, shifted, time.Time{}
	c.late, c.moves = make(map[int]time.Time), make(map[int]int)
}

func (l *payeeLife) pay(s paystream.Settlement) {
	note := paystream.RoundID(s.Note)
	if s.OfferID == "" {
		note = paystream.RoundID(s.Label[:64])
	}
	if s.OfferID != "another offer" {
		l.settled[note] = append(l.settled[note], payeeMoney{time.Now(), s.AmountMsat})
	}
	l.node.receive(s)
}

// received is what the node got for a customer before a moment.
func (l *payeeLife) received(c *payeeCustomer, before time.Time) (msat int64) {
	for id := range c.ids {
		for _, m := range l.settled[id] {
			if m.at.Before(before) {
				msat += m.msat
			}
		}
	}
	return msat
}
