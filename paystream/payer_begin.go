package paystream

import (
	"context"
	"math"
)

// begin starts the payment of the next round, and of as many after it as have to
// be paid at once.
func (p *Payer) begin(ctx context.Context, s *payerStream) {
	p.mu.Lock()
	now := p.cfg.Now()
	if s.balanceMsat() == 0 && now.Sub(s.heard) > recent {
		s.doubt = true // a payee keeps nothing of an intent that never paid: does it still know us?
		p.mu.Unlock()
		return
	}
	r := s.next()
	k, err := p.roundsLocked(s, r)
	through := min(r+k-1, s.furthest(now))
	amount := s.priceMsat(through)
	p.mu.Unlock()

	if err != nil {
		p.stop(s, ReasonFee)
		return
	}
	if !p.worth(s) {
		return
	}
	p.start(ctx, s, r, through, amount)
}

// roundsLocked is how many rounds to pay at once from round r on: the fewest
// that the policy allows, or a few more when that leaves no small rest at the end
// whose routing would cost more than allowed.
func (p *Payer) roundsLocked(s *payerStream, r int) (int, error) {
	routing := p.routing[s.terms.Descriptor]
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

// worth asks whether the service was worth paying for, and stops paying if not.
func (p *Payer) worth(s *payerStream) bool {
	p.mu.Lock()
	since := s.since
	p.mu.Unlock()
	if p.cfg.Service == nil || p.cfg.Service.Worth(s.handle, since) {
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
	err := p.cfg.Budget.Hold(now, y.Spend(), y.HeldMsat())
	if err != nil {
		s.err = err
	}
	p.mu.Unlock()
	if err != nil {
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
	s.notBefore = p.cfg.Now().Add(backoff(s.fails, maxRetry))
	s.fails++
	s.trouble = why
}
