package paystream

import "time"

const (
	maxLead  = 20 * time.Second       // a payment begins no earlier before it is due
	maxRetry = 20 * time.Second       // and the node tries no longer
	minTime  = 500 * time.Millisecond // a payment with less time left is not begun
	linger   = 10 * time.Minute       // how long a pay stream that is over can still be looked at
)

// duty is what a pay stream's payer has to do next.
type duty uint8

const (
	dutyNone     duty = iota
	dutySave          // write the record down
	dutyAdvance       // go on with the payment that is not over
	dutyOpen          // deliver the intent
	dutyAsk           // ask for the payee's view
	dutyPay           // prepare the next payment
	dutyFinish        // everything is paid and the last round is over
	dutyAnnounce      // a priced round begins that nothing covers
	dutyForget        // it has been over for long enough
	dutyExpire        // it was kept for as long as its relay would take it
)

// duty says what is to be done next for s, and when: the earliest of all. It
// changes nothing but the phase, drawn once a round.
func (p *Payer) dutyLocked(s *payerStream, now time.Time) (what duty, at time.Time) {
	add := func(d duty, t time.Time) {
		if !t.IsZero() && (what == dutyNone || t.Before(at)) {
			what, at = d, t
		}
	}
	if s.dirty {
		add(dutySave, latest(s.retry, s.opened))
	}
	if s.payment != nil {
		add(dutyAdvance, p.goOnLocked(s))
	}
	switch {
	case s.state.over():
		if s.payment == nil && !s.dirty {
			add(dutyForget, s.closed.Add(linger))
		}
	case s.kept:
		add(dutyExpire, s.expires())
	case s.link == nil: // the caller has not found the circuit again yet
	case s.state == payerOpening:
		if s.payment == nil {
			add(dutyOpen, latest(s.retry, s.opened))
		}
	case s.doubt:
		add(dutyAsk, latest(s.retry, s.opened))
	default:
		p.routineLocked(s, now, add)
	}
	return what, at
}

// routineLocked adds what a running pay stream has to do by the clock.
func (p *Payer) routineLocked(s *payerStream, now time.Time, add func(duty, time.Time)) {
	if !s.confirm.IsZero() {
		add(dutyAsk, latest(s.confirm, s.retry))
	}
	r := s.next()
	if r > s.terms.Rounds {
		add(dutyFinish, s.due(s.terms.Rounds))
		return
	}
	late := s.late(r)
	add(dutyAsk, latest(late, s.retry)) // past a deadline the payee's word counts
	if r != s.announced {
		add(dutyAnnounce, s.due(r-1))
	}
	if s.state != payerLive || s.payment != nil || p.draining {
		return
	}
	at := p.payMomentLocked(s, r)
	switch {
	case s.noPay:
		for _, t := range []time.Time{at, s.due(r)} { // has the controller paid?
			if s.heard.Before(t) {
				add(dutyAsk, latest(t, s.retry))
			}
		}
	case late.Sub(latest(at, now)) >= minTime:
		add(dutyPay, earliest(at, latest(s.fetchMoment(r), s.notBefore)))
	}
}

// payMomentLocked is when the payment of round r begins: at a random moment in
// [due−lead, due−lead/2], drawn anew for each round so that nobody can tell by
// the clock which hops and rounds belong together; as soon as it may be when the
// bytes run out first.
func (p *Payer) payMomentLocked(s *payerStream, r int) time.Time {
	if s.round != r {
		s.round, s.phase, s.early = r, (1+p.cfg.Random())/2, p.cfg.Random()/2
	}
	at := s.due(r).Add(-time.Duration(s.phase * float64(s.lead())))
	if s.nearlyUsed() {
		if k, err := p.roundsLocked(s, r); err == nil {
			at = earliest(at, s.reachable(r+k-1))
		}
	}
	return latest(at, s.notBefore)
}

// fetchMoment is when the invoice of round r is asked for: in the first half of
// the round, so that the requests of many payers spread out. Its phase is drawn
// with that of the payment.
func (s *payerStream) fetchMoment(r int) time.Time {
	return s.due(r - 1).Add(time.Duration(s.early * float64(s.terms.Interval)))
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// backoff is how long to wait before try number n, from 0: half a second,
// doubled up to limit.
func backoff(n int, limit time.Duration) time.Duration {
	return min(500*time.Millisecond<<min(n, 16), limit)
}

// recent is for how long what the relay said before the first payment is still
// good: five seconds, and less where rounds are short.
func (s *payerStream) recent() time.Duration { return min(5*time.Second, s.terms.Interval/2) }
