package paystream

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// payerPayment is the one payment of a pay stream that is not over. Payer.mu
// guards it; only the goroutine that works for its pay stream changes it.
type payerPayment struct {
	PaymentRecord
	next     time.Time     // when to go on with it
	tries    int           // in a row that came to nothing
	retryFor time.Duration // how long the node may keep trying what it was last asked
	asked    bool          // the node is being asked to pay
	doubtful bool          // money may be on its way
	final    bool          // this invoice will never be paid
	opening  bool          // it meets an opening demand
}

// settledBy is when the node can begin nothing any more for what it was asked.
func (y *payerPayment) settledBy() time.Time { return y.Paying.Add(y.retryFor + 10*time.Second) }

// advance takes a payment as far as it can go now.
func (p *Payer) advance(ctx context.Context, s *payerStream) {
	for ctx.Err() == nil {
		p.mu.Lock()
		y, now := s.payment, p.cfg.Now()
		if y == nil || p.goOnLocked(s).After(now) {
			p.mu.Unlock()
			return
		}
		step, chance := y.Step, p.chanceLocked(s, y, now)
		p.mu.Unlock()

		switch {
		case step == StepPaid:
			p.settle(ctx, s, y)
		case step == StepFailed:
			p.drop(ctx, s, y)
		case step == StepPaying:
			p.resolve(ctx, s, y, chance)
		case chance == chanceGone:
			p.drop(ctx, s, y)
		case chance == chanceLater:
			p.locked(func() { y.next = now.Add(time.Second) })
		case step == StepIntent:
			p.fetch(ctx, s, y)
		case step == StepInvoice && p.wanted(s, y):
			p.pay(ctx, s, y)
		}
	}
}

// goOnLocked is when to go on with the payment of s. An invoice is fetched well
// before it is paid: a payee's node takes few requests a second.
func (p *Payer) goOnLocked(s *payerStream) time.Time {
	y := s.payment
	if y.Step == StepInvoice && !y.opening && s.state == payerLive {
		return latest(y.next, p.payMomentLocked(s, y.Round))
	}
	return y.next
}

// chance says whether the node may be asked to pay.
type chance uint8

const (
	chanceNow   chance = iota
	chanceLater        // the relay has to be asked before
	chanceGone         // it would come too late, or is not wanted any more
)

func (p *Payer) chanceLocked(s *payerStream, y *payerPayment, now time.Time) chance {
	switch {
	case p.draining || s.state != payerOpening && s.state != payerLive:
		return chanceGone
	case y.opening != (s.state == payerOpening) || !y.opening && y.Round != s.next():
		return chanceGone // what it was for is over
	case s.link == nil || s.doubt && s.state == payerLive:
		return chanceLater
	case s.payBy().Sub(now) < minTime:
		return chanceGone
	default:
		return chanceNow
	}
}

// pay asks the node to pay, once it is durable that it was asked.
func (p *Payer) pay(ctx context.Context, s *payerStream, y *payerPayment) {
	p.mu.Lock()
	now := p.cfg.Now()
	retryFor := min(maxRetry, s.payBy().Sub(now))
	allowed := !p.draining && !s.state.over()
	if allowed && p.otherPayingLocked(s) {
		allowed, y.next = false, now.Add(p.apartLocked(s))
	}
	y.asked = allowed
	p.mu.Unlock()
	if !allowed {
		return
	}
	defer p.locked(func() { y.asked = false })
	if !y.Expires.IsZero() && y.Expires.Before(now.Add(retryFor)) {
		p.locked(func() { y.final = true })
		if y.Step == StepInvoice {
			p.drop(ctx, s, y)
		}
		return
	}
	again := y.Step == StepPaying
	if !p.move(ctx, s, y, paymentBegun, func(r *PaymentRecord) { r.Paying = now }) {
		return
	}
	p.locked(func() {
		y.retryFor = retryFor
		if !again {
			s.since = now
			p.emitLocked(s, StatusPaying, "")
		}
	})
	bounded, cancel := context.WithTimeout(ctx, retryFor+10*time.Second)
	defer cancel()
	got, err := p.cfg.Wallet.Pay(bounded, PayRequest{
		Invoice:    Invoice{String: y.Invoice, PaymentHash: y.PaymentHash, AmountMsat: y.AmountMsat, Expires: y.Expires},
		MaxFeeMsat: y.MaxFeeMsat, RetryFor: retryFor,
	})
	switch {
	case err == nil:
		p.complete(ctx, s, y, got)
	case errors.Is(err, ErrRefused):
		p.locked(func() {
			y.final = true
			why := ReasonWallet
			if errors.Is(err, ErrFee) {
				why = ReasonFee
				p.dearerLocked(s.terms, max(y.Round, s.prices.FirstPriced()), y.MaxFeeMsat)
			}
			p.laterLocked(s, y, why)
		})
	case errors.Is(err, ErrTryAgain):
		p.locked(func() { p.laterLocked(s, y, ReasonWallet) })
	default: // money may be on its way
		p.locked(func() { p.doubtLocked(s, y) })
	}
}

// resolve asks what became of a payment that was begun, and either enters that,
// or tries the same invoice again, or gives it up once nothing can move.
func (p *Payer) resolve(ctx context.Context, s *payerStream, y *payerPayment, may chance) {
	bounded, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	got, err := p.cfg.Wallet.Lookup(bounded, y.PaymentHash)
	p.mu.Lock()
	now, end, final := p.cfg.Now(), y.settledBy(), y.final
	p.mu.Unlock()
	switch {
	case err != nil || got.Status == PaymentPending:
		p.locked(func() { p.doubtLocked(s, y) })
	case got.Status == PaymentComplete:
		p.complete(ctx, s, y, got)
	case !now.Before(end):
		p.drop(ctx, s, y)
	case may == chanceGone || final:
		p.locked(func() { y.next = end })
	case may == chanceLater:
		p.locked(func() { y.next = now.Add(time.Second) })
	default:
		p.pay(ctx, s, y)
	}
}

// complete enters that a payment settled.
func (p *Payer) complete(ctx context.Context, s *payerStream, y *payerPayment, got Payment) {
	p.locked(func() {
		if to, ok := paymentNext(y.Step, paymentSettled); ok {
			y.Step = to
		}
		y.SentMsat = max(got.SentMsat, y.AmountMsat)
		y.Settled = p.cfg.Now()
	})
	p.settle(ctx, s, y)
}

// settle makes a settled payment durable; only then does it count.
func (p *Payer) settle(ctx context.Context, s *payerStream, y *payerPayment) {
	if !p.write(ctx, y) {
		return
	}
	p.locked(func() {
		fee := y.SentMsat - y.AmountMsat
		s.payment = nil
		s.paidMsat += y.AmountMsat
		s.routeMsat += fee
		s.fails, s.trouble, s.notBefore = 0, "", time.Time{}
		p.paidRoutingLocked(s.terms.Descriptor, fee)
		if s.theirs == 0 {
			s.confirm = y.Settled.Add(s.recent())
		}
		if s.state == payerOpening {
			s.demanded = true
			s.retry = y.Settled
			s.by = latest(s.by, y.Settled.Add(30*time.Second))
		}
		p.cfg.Budget.Settle(y.Spend().Key, y.Settled, y.SentMsat)
		p.emitLocked(s, StatusPaid, "")
	})
}

// drop gives a payment up that moved nothing and never will.
func (p *Payer) drop(ctx context.Context, s *payerStream, y *payerPayment) {
	p.locked(func() {
		if to, ok := paymentNext(y.Step, paymentDropped); ok {
			y.Step = to
		}
	})
	if !p.write(ctx, y) {
		return
	}
	p.locked(func() {
		s.payment = nil
		p.cfg.Budget.Release(y.Spend().Key)
		p.postponeLocked(s, cmp.Or(s.trouble, ReasonWallet))
		switch s.state {
		case payerOpening:
			s.retry = s.notBefore // the relay may ask for something else, or nothing
		case payerLive:
			if s.payBy().Sub(p.cfg.Now()) < minTime {
				s.announced = s.next()
				p.emitLocked(s, StatusDue, ReasonWallet)
			}
		}
	})
}

// move takes a step of a payment once it is durable.
func (p *Payer) move(ctx context.Context, s *payerStream, y *payerPayment, on paymentEvent, change func(*PaymentRecord)) bool {
	p.mu.Lock()
	rec := y.PaymentRecord
	p.mu.Unlock()
	to, ok := paymentNext(rec.Step, on)
	if !ok {
		return false
	}
	rec.Step = to
	change(&rec)
	err := p.cfg.Journal.SavePayment(ctx, rec)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.laterLocked(s, y, ReasonWallet)
		return false
	}
	if on == paymentInvoiced {
		y.tries = 0
	}
	y.PaymentRecord = rec
	return true
}

// write makes the end of a payment durable; what cannot be written is tried
// again, and until then no other payment begins.
func (p *Payer) write(ctx context.Context, y *payerPayment) bool {
	p.mu.Lock()
	rec := y.PaymentRecord
	p.mu.Unlock()
	err := p.cfg.Journal.SavePayment(context.WithoutCancel(ctx), rec)
	if err != nil {
		p.locked(func() { y.next = p.cfg.Now().Add(time.Second) })
	}
	return err == nil
}

// laterLocked goes on with a payment after a while, and when there is no time
// left for it.
func (p *Payer) laterLocked(s *payerStream, y *payerPayment, why Reason) {
	now := p.cfg.Now()
	limit := 5 * time.Second
	if !y.opening && s.state == payerLive {
		limit = max(limit, p.payMomentLocked(s, y.Round).Sub(now)/4) // there is time
	}
	y.next = now.Add(backoff(y.tries, limit))
	if last := s.payBy().Add(-minTime); last.After(now) && last.Before(y.next) {
		y.next = last.Add(1)
	}
	y.tries++
	s.trouble = why
}

// doubtLocked is for a payment of which nobody knows what became: it is held.
func (p *Payer) doubtLocked(s *payerStream, y *payerPayment) {
	limit := 5 * time.Second
	if s.state.over() {
		limit = time.Minute
	}
	y.next = p.cfg.Now().Add(backoff(y.tries, limit))
	y.tries++
	if !y.doubtful {
		y.doubtful = true
		p.emitLocked(s, StatusHeld, "")
	}
}
