package eltor

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// Link is the payer's line to one hop of a circuit: a [paystream.Link] on which
// nobody can be asked anything. What the relay was told stands in the handshake;
// how it sees the pay stream follows from the payer's own books and the clock.
type Link struct {
	terms  policies.Terms
	handle paystream.Handle
	status func(paystream.Handle) (paystream.PayerStatus, error)
	now    func() time.Time
	ready  chan struct{} // closed when nothing but the circuit is missing
	done   chan struct{} // closed when the circuit is built, or will not be

	mu      sync.Mutex // guards what follows
	isReady bool
	isDone  bool
	start   time.Time
	err     error // why the circuit is not there, or not any more
}

// LinkConfig is what a link works with.
type LinkConfig struct {
	Terms  policies.Terms
	Handle paystream.Handle
	Status func(paystream.Handle) (paystream.PayerStatus, error) // the payer's own view
	Now    func() time.Time
}

// NewLink makes the link of a hop whose circuit is still to be built.
func NewLink(cfg LinkConfig) *Link {
	return &Link{
		terms: cfg.Terms, handle: cfg.Handle, status: cfg.Status, now: cfg.Now,
		ready: make(chan struct{}), done: make(chan struct{}),
	}
}

// Ready is closed when the hop's opening fee is paid, if it asks one: the circuit
// may be built then.
func (l *Link) Ready() <-chan struct{} { return l.ready }

// Built says that the circuit is there. Its rounds count from start, the moment at
// which it was asked for: the relay can have heard of it no earlier.
func (l *Link) Built(start time.Time) { l.settle(start, nil) }

// Lost says that the circuit will not be there, or is no more.
func (l *Link) Lost(err error) { l.settle(time.Time{}, err) }

func (l *Link) settle(start time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	if !l.isDone {
		l.isDone, l.start = true, start
		close(l.done)
	}
}

// Open asks for the opening fee first, which is paid before the relay hears
// anything, and waits for the circuit then.
func (l *Link) Open(ctx context.Context, in paystream.Intent) (a paystream.Answer, err error) {
	st, err := l.status(l.handle)
	if err != nil {
		return a, err
	}
	if st.PaidMsat < l.terms.FeeMsat {
		return a, &paystream.Demand{DueMsat: l.terms.FeeMsat - st.PaidMsat, Note: in.Hash.RoundID(in.TermsHash, 0)}
	}
	l.mu.Lock()
	if !l.isReady {
		l.isReady = true
		close(l.ready)
	}
	l.mu.Unlock()
	select {
	case <-l.done:
		return l.answer()
	case <-ctx.Done():
		return a, context.Cause(ctx)
	}
}

// View is what the relay must think by now. Past a deadline that was not met it is
// that the pay stream is over, whether the relay can end the circuit or not.
func (l *Link) View(context.Context, paystream.PaymentIDHash) (paystream.Answer, error) {
	return l.answer()
}

func (l *Link) answer() (a paystream.Answer, err error) {
	l.mu.Lock()
	start, err := l.start, l.err
	l.mu.Unlock()
	if err != nil {
		return a, err
	}
	st, err := l.status(l.handle)
	if err != nil {
		return a, err
	}
	a.Asked = l.now()
	prices := l.terms.Schedule()
	a.Handle, a.Elapsed, a.FeeMsat = l.handle, a.Asked.Sub(start), l.terms.FeeMsat
	a.Round = max(1, min(int(a.Elapsed/l.terms.Interval)+1, l.terms.Rounds))
	a.BalanceMsat, a.Allowance = st.PaidMsat, 1<<40
	a.PaidThrough = prices.PaidThrough(st.PaidMsat, l.terms.FeeMsat)
	next := a.PaidThrough + 1
	if next > l.terms.Rounds {
		return a, nil
	}
	a.DueMsat = l.terms.FeeMsat + prices.ThroughMsat(next) - st.PaidMsat
	a.DueIn = l.terms.Due(next) - a.Elapsed
	a.LateIn = a.DueIn + l.terms.Grace
	if a.LateIn < 0 {
		return a, &paystream.Demand{Reason: paystream.ReasonLate}
	}
	return a, nil
}

// End has nobody to tell: the end of the circuit is what the relay sees.
func (l *Link) End(context.Context, paystream.PaymentIDHash, paystream.Preimage) (a paystream.Answer, err error) {
	return a, nil
}

// errNoInvoice is why a hop can be paid by what its terms name alone.
var errNoInvoice = errors.New("on El Tor's network a relay makes no invoices for its pay streams")

// Invoice is what this carrier does not have.
func (l *Link) Invoice(context.Context, paystream.PaymentIDHash, int, int64) (string, error) {
	return "", errNoInvoice
}
