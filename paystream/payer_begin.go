package paystream

import (
	"context"
	"math"
	"time"
)

// begin prepares the payment of the next round, and of as many after it as have
// to be paid at once.
func (p *Payer) begin(ctx context.Context, s *payerStream) {
	p.mu.Lock()
	now := p.cfg.Now()
	r := s.next()
	k, err := p.roundsLocked(s, r)
	through := min(max(r+k-1, s.overdue(now)), s.furthest(now))
	amount := s.priceMsat(through)
	p.mu.Unlock()

	if err != nil {
		p.stop(s, ReasonFee)
		return
	}
	p.start(ctx, s, r, through, amount)
}

// roundsLocked is how many rounds to pay at once from round r on: the fewest
// that the policy allows, or a few more when that leaves no small rest at the end
// whose routing would cost more than allowed.
func (p *Payer) roundsLocked(s *payerStream, r int) (int, error) {
	routing := p.routingLocked(s.terms.Descriptor)
	k, err := p.cfg.Policy.Prepay(s.terms, r, func(int64) int64 { return routing })
	if err != nil {
		return 0, err
	}
	even := spread(s.terms.Rounds-r+1, k)
	if even == k {
		return k, nil
	}
	enough := s.prices.ThroughMsat(r+even-1) - s.prices.ThroughMsat(r-1)
	more, err := p.cfg.Policy.Prepay(s.terms, r, func(msat int64) int64 {
		if msat < enough {
			return math.MaxInt64
		}
		return routing
	})
	if err != nil {
		return k, nil
	}
	return more, nil
}

// spread says how many of n rounds to pay at once when k at least must be: the
// same number every time, as near as can be.
func spread(n, k int) int {
	if n <= k {
		return k
	}
	times := n / k
	return (n + times - 1) / times
}

// wanted reports whether what was prepared is to be paid, now that its time has
// come: it stops paying for a service that was not worth it, and asks a relay that
// never said that it was paid whether it still knows us, since it keeps nothing of
// an intent that did not pay.
func (p *Payer) wanted(s *payerStream, y *payerPayment) bool {
	p.mu.Lock()
	since, sure := s.since, s.theirs > 0 || p.cfg.Now().Sub(s.heard) <= s.recent()
	if !sure && !y.opening {
		s.doubt = true
	}
	p.mu.Unlock()
	switch {
	case y.opening:
		return true
	case !sure:
		return false
	case p.cfg.Service == nil || p.cfg.Service.Worth(s.handle, since):
		return true
	}
	p.stop(s, ReasonQuality)
	return false
}

// stop ends paying, not yet the service.
func (p *Payer) stop(s *payerStream, why Reason) {
	p.locked(func() {
		if p.applyLocked(s, payerStop, why) {
			s.announced = s.next()
		} else if s.state == payerOpening {
			p.applyLocked(s, payerDenied, why)
		}
	})
}

// start holds the money, journals the intent to pay and goes on from there.
func (p *Payer) start(ctx context.Context, s *payerStream, r, through int, amount int64) {
	p.mu.Lock()
	now := p.cfg.Now()
	y := &payerPayment{next: now, PaymentRecord: PaymentRecord{
		Handle: s.handle, Round: r, Through: through, Attempt: s.attempts + 1, Note: s.note(r),
		AmountMsat: amount, MaxFeeMsat: p.cfg.Policy.RoutingCapMsat(amount), Step: StepIntent,
		Created: now, Controller: s.controller, Circuit: s.circuit,
	}}
	y.opening = s.state == payerOpening
	err := p.cfg.Budget.Hold(now, y.Spend(), y.HeldMsat())
	later := false
	if err != nil {
		s.err = err
		if at := p.payMomentLocked(s, r); !y.opening && at.After(now) {
			s.notBefore, later = at, true // an hour's budget may have room again by then
		}
	}
	p.mu.Unlock()
	switch {
	case later:
		return
	case err != nil:
		p.stop(s, ReasonBudget)
		return
	}
	if err := p.cfg.Journal.SavePayment(ctx, y.PaymentRecord); err != nil {
		p.locked(func() {
			p.cfg.Budget.Release(y.Spend().Key)
			p.postponeLocked(s, ReasonWallet)
			s.retry = s.notBefore
		})
		return
	}
	p.locked(func() { s.attempts, s.payment = y.Attempt, y })
	p.advance(ctx, s)
}

// postponeLocked makes the next payment wait a little.
func (p *Payer) postponeLocked(s *payerStream, why Reason) {
	s.notBefore = p.cfg.Now().Add(backoff(s.fails, 5*time.Second))
	s.fails++
	s.trouble = why
}
