package paystream

import (
	"errors"
	"slices"
	"time"

	"github.com/el-tor/tops/policies"
)

// KeepFor is how long a pay stream is kept whose opening is paid and whose relay has
// not heard of it: for as long as a payee keeps money that it cannot place, less what
// it takes to reach it and what clocks differ.
const KeepFor = RememberFor - 10*time.Minute

// Kept is a pay stream that can be opened again at no charge.
type Kept struct {
	Preimage Preimage
	RoundIDs []RoundID // those that Open was given
}

// Keep puts a pay stream aside that is being opened, if money was, or may have been,
// paid for that: its relay must not have heard of it. Whoever waits for it in Open
// hears [ErrKept]. If Keep returns false there is nothing to be kept; close it.
func (p *Payer) Keep(h Handle) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.streams[h]
	return s != nil && p.keepLocked(s)
}

// ErrKept is returned by Open for a pay stream that was put aside meanwhile.
var ErrKept = errors.New("the pay stream was put aside")

func (p *Payer) keepLocked(s *payerStream) bool {
	if s.state != payerOpening || s.before != "" || s.noPay || !s.mayHavePaid() {
		return false
	}
	s.kept, s.taken, s.link, s.circuit, s.dirty = true, false, nil, "", true
	if s.settled != nil {
		close(s.settled)
		s.settled = nil
	}
	p.planLocked(s)
	return true
}

// keepWaiting is the same for whoever waits until settled is closed and will not any
// longer: what became of the pay stream meanwhile stays as it is.
func (p *Payer) keepWaiting(s *payerStream, settled chan struct{}) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return s.settled != settled || p.keepLocked(s)
}

// putAside reports whether a pay stream was put aside since settled was to be closed,
// even if it is being opened again by now: what its link said no longer matters.
func (p *Payer) putAside(s *payerStream, settled chan struct{}) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return s.state == payerOpening && s.settled != settled
}

// mayHavePaid reports whether money has moved for it, or may have.
func (s *payerStream) mayHavePaid() bool {
	return s.paidMsat > 0 || s.payment != nil && (s.payment.Step == StepPaying || s.payment.Step == StepPaid)
}

// Take gives out a pay stream that was kept: one under these terms whose opening fee is
// paid, by the same controller's budget. Open it with its preimage and Keep, and its
// relay is paid no second time. Nobody else is given it.
func (p *Payer) Take(terms policies.Terms, controller string) (k Kept, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	for _, s := range p.streams {
		if !s.kept || s.taken || s.terms != terms || s.controller != controller {
			continue
		}
		if s.payment != nil || s.paidMsat < terms.FeeMsat || !now.Before(s.opened.Add(KeepFor)) {
			continue
		}
		s.taken = true
		return Kept{s.preimage, slices.Clone(s.ids)}, true
	}
	return k, false
}

// openAgainLocked has a pay stream that was kept and taken opened over another circuit.
func (p *Payer) openAgainLocked(s *payerStream, req OpenRequest) {
	now := p.cfg.Now()
	s.kept, s.taken, s.link = false, false, req.Link
	s.circuit, s.path, s.hop = req.Circuit, req.Path, req.Hop
	s.by, s.retry, s.tries, s.err = now.Add(p.cfg.OpenFor), time.Time{}, 0, nil
	s.start, s.earliest, s.settled, s.patient = now, now, make(chan struct{}), true
}

// expireLocked ends what was kept in vain: the books say that its opening fee bought
// nothing.
func (p *Payer) expireLocked(s *payerStream) {
	why := ReasonUnused
	if !s.mayHavePaid() { // the payment that it was kept for came to nothing
		why = ReasonWallet
	}
	p.applyLocked(s, payerEnd, why)
}

// expires is when that happens.
func (s *payerStream) expires() time.Time {
	if !s.mayHavePaid() {
		return s.opened
	}
	return s.opened.Add(KeepFor)
}
