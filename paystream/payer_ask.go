package paystream

import (
	"context"
	"errors"
	"time"
)

// Ask makes the payer look at the payee's view, now: the relay answered something
// that it should not have.
func (p *Payer) Ask(h Handle) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.streams[h]; s != nil && !s.state.over() {
		s.doubt = true
		p.planLocked(s)
	}
}

// ask gets the payee's view and goes by it.
func (p *Payer) ask(ctx context.Context, s *payerStream) {
	p.mu.Lock()
	link, limit := s.link, min(10*time.Second, s.terms.Interval/3)
	p.mu.Unlock()
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ans, err := link.View(bounded, s.hash)
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	var demand *Demand
	switch {
	case err == nil:
		p.hearLocked(s, ans)
	case errors.Is(err, ErrUnknown) && now.After(s.late(s.terms.Rounds)): // it is long over
		p.overdueLocked(s, ReasonRelay)
	case errors.Is(err, ErrUnknown): // it forgot an intent that had not paid: tell it again
		s.by, s.retry, s.tries = now.Add(p.cfg.OpenFor), now, 0
		s.demanded = s.paidMsat > 0
		p.applyLocked(s, payerForgotten, ReasonRelay)
	case errors.As(err, &demand) && demand.DueMsat == 0:
		p.overdueLocked(s, theirReason(demand.Reason))
	default:
		s.retry = now.Add(backoff(s.tries, 5*time.Second))
		s.tries++
		switch r := s.next(); {
		case !now.After(s.late(min(r, s.terms.Rounds))):
		case r > s.terms.Rounds: // it is paid to its end, and would not end without an answer
			p.applyLocked(s, payerDone, ReasonCompleted)
		case s.state == payerLive: // a relay that does not answer is not worth waiting for any longer
			p.applyLocked(s, payerStop, ReasonQuality)
		case now.After(s.late(r).Add(max(s.terms.Grace, 30*time.Second))):
			p.overdueLocked(s, ReasonCircuit)
		}
	}
}

// theirReason is why the payee says that it is over, if that is one of its words; others
// are not repeated.
func theirReason(said Reason) Reason {
	switch said {
	case ReasonLate, ReasonCompleted, ReasonClient:
		return said
	}
	return ReasonRelay
}

// hearLocked takes over what the payee says of time and money.
func (p *Payer) hearLocked(s *payerStream, ans Answer) {
	now := p.cfg.Now()
	ended := ans.DueMsat == 0 && ans.PaidThrough < s.terms.Rounds // it owes nothing because it is over
	if start := s.believable(ans.Start(), now); !start.Equal(s.start) && !ended {
		s.start, s.dirty = start, true
	}
	if y := s.payment; y != nil && s.doubt && y.Step != StepPaying {
		y.next = now // it waited for this
	}
	before := s.paidThrough()
	s.doubt, s.tries, s.confirm = false, 0, time.Time{}
	s.heard = ans.Asked
	s.theirs = ans.BalanceMsat
	s.used = max(s.used, ans.Bytes)
	theirNext := max(ans.PaidThrough+1, s.prices.FirstPriced())
	s.movedFor, s.moved = theirNext, ans.Asked.Add(ans.LateIn)
	if s.state == payerOpening {
		return
	}
	if s.noPay && s.paidThrough() > before {
		p.emitLocked(s, StatusPaid, "")
	}
	switch r := s.next(); {
	case ended:
		p.overdueLocked(s, ReasonLate)
	case r <= s.terms.Rounds && !s.late(r).After(now): // not judged yet: what it says next may be that it is
		s.retry = now.Add(backoff(s.fails, 5*time.Second))
		s.fails++
	}
}

// overdueLocked ends a pay stream that was not paid in time, and says why it was
// not if the reason is ours.
func (p *Payer) overdueLocked(s *payerStream, why Reason) {
	if why == ReasonLate {
		p.emitLocked(s, StatusLate, "")
		switch {
		case s.state == payerLeaving:
			why = s.reason
		case s.trouble != "":
			why = s.trouble
		}
	}
	p.applyLocked(s, payerOverdue, why)
}
