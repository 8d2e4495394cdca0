package paystream

import "time"

// payeeStream is one pay stream at its payee. Payee.mu guards it.
type payeeStream struct {
	appointment
	hash        PaymentIDHash
	handle      Handle
	tariff      *tariff
	ids         []RoundID // brought by the payer; nil: the HMAC's
	start       time.Time
	feeMsat     int64 // the opening fee that is owed
	balanceMsat int64
	bytes       int64 // tunnelled before the carrier first heard of it
	movedTo     time.Time
	movedRound  int // the last round whose deadline moved
	continues   *payeeStream
	continuedBy *payeeStream
	closed      time.Time
	invoice     *plainInvoice
	invoices    map[int]int // how many each round has had
	state       payeeState
	reason      Reason
	lastRound   uint8 // the round of the last event
	credited    bool
	free        bool // counted in Payee.free
	continued   bool // it continues another, now or before that one was forgotten
	journalled  bool
}

func (s *payeeStream) entry() *appointment { return &s.appointment }

// note is the id of round r.
func (s *payeeStream) note(r int) RoundID {
	if s.ids != nil && r > 0 {
		return s.ids[r-1]
	}
	return s.hash.RoundID(s.tariff.hash, r)
}

// due is when round r is due.
func (s *payeeStream) due(r int) time.Time { return s.start.Add(s.tariff.Due(r)) }

// end is when the last round is over.
func (s *payeeStream) end() time.Time { return s.due(s.tariff.Rounds) }

// late is when round r can be judged: its due time and the grace, or where an
// outage of the node moved it. A round is never late before one that comes before
// it, so a deadline that moved takes along the next ones that it passes, those of
// the pay stream that continues this one too.
func (s *payeeStream) late(r int) time.Time {
	late := latest(s.due(r).Add(s.tariff.Grace), s.movedTo)
	if s.continues != nil {
		late = latest(late, s.continues.movedTo)
	}
	return late
}

// move gives every deadline that has passed until now, to be judged at to.
func (s *payeeStream) move(now, to time.Time) {
	passed := int(now.Sub(s.start)-s.tariff.Grace) / int(s.tariff.Interval)
	s.movedRound, s.movedTo = min(passed, s.tariff.Rounds), to
}

// round is the one that runs at now.
func (s *payeeStream) round(now time.Time) int {
	r := int(now.Sub(s.start)/s.tariff.Interval) + 1
	return max(1, min(r, s.tariff.Rounds))
}

// paidThrough is the last round that the balance covers.
func (s *payeeStream) paidThrough() int { return s.tariff.prices.PaidThrough(s.balanceMsat, s.feeMsat) }

// full reports whether everything is paid.
func (s *payeeStream) full() bool { return s.paidThrough() == s.tariff.Rounds }

// nextPayable is the next round that has to be paid; rounds+1 when none has.
func (s *payeeStream) nextPayable() int {
	return max(s.paidThrough()+1, s.tariff.prices.FirstPriced())
}

// dueMsat is what is missing for the next round that has to be paid.
func (s *payeeStream) dueMsat() int64 {
	r := s.nextPayable()
	if r > s.tariff.Rounds {
		return 0
	}
	return s.feeMsat + s.tariff.prices.ThroughMsat(r) - s.balanceMsat
}

// allowance is the cumulative limit of bytes.
func (s *payeeStream) allowance() int64 {
	return s.tariff.AllowanceBytes(s.credited, s.continued, s.tariff.prices.PricedThrough(s.paidThrough()))
}

// used is how many bytes were tunnelled, over all restarts.
func (s *payeeStream) used(c Carrier) int64 {
	if s.state.over() {
		return s.bytes
	}
	return s.bytes + c.Used(s.handle)
}

// serving is the pay stream that connections of s count to: the one before it,
// for as long as that is not over.
func (s *payeeStream) serving() *payeeStream {
	for s.state == payeePending && s.continues != nil && !s.continues.state.over() {
		s = s.continues
	}
	return s
}

// status is the event word for where the pay stream stands.
func (s *payeeStream) status(now time.Time) Status {
	switch s.state {
	case payeePending:
		return StatusIntent
	case payeeCompleted:
		return StatusCompleted
	case payeeLate, payeeClosed:
		return StatusClosed
	}
	switch r := s.round(now); {
	case r < s.tariff.prices.FirstPriced() && !s.credited:
		return StatusFree
	case s.paidThrough() >= r:
		return StatusPaid
	default:
		return StatusDue
	}
}

// nextMoment is when the pay stream has to be looked at again.
func (s *payeeStream) nextMoment(now time.Time) time.Time {
	if s.state.over() {
		return s.closed.Add(RememberFor)
	}
	if s.state == payeePending {
		switch o := s.continues; {
		case s.start.After(now):
			return s.start
		case o == nil || o.state.over():
			return now
		}
		return time.Time{} // waits for the pay stream that it continues
	}
	next := s.end()
	if s.full() {
		if s.state == payeeEnding || !next.After(now) {
			return now
		}
	} else if late := s.late(s.nextPayable()); late.Before(next) || s.state == payeeEnding {
		next = late
	}
	if s.state == payeeLive {
		if boundary := s.due(s.round(now)); boundary.After(now) && boundary.Before(next) {
			next = boundary
		}
	}
	return next
}

func (p *Payee) viewLocked(s *payeeStream, now time.Time) View {
	v := View{
		Handle:      s.handle,
		Elapsed:     now.Sub(s.start),
		Round:       s.round(now),
		BalanceMsat: s.balanceMsat,
		PaidThrough: s.paidThrough(),
		FeeMsat:     s.feeMsat,
		Bytes:       s.used(p.cfg.Carrier),
		Allowance:   s.allowance(),
	}
	if s.state.over() {
		v.Elapsed = s.closed.Sub(s.start)
		v.Round = s.round(s.closed)
		return v
	}
	r := min(s.nextPayable(), s.tariff.Rounds)
	v.DueMsat = s.dueMsat()
	v.DueIn = s.due(r).Sub(now)
	v.LateIn = s.late(r).Sub(now)
	return v
}

func (p *Payee) recordLocked(s *payeeStream, now time.Time) PayeeRecord {
	r := PayeeRecord{
		Hash: s.hash, Handle: s.handle, Terms: s.tariff.Terms, RoundIDs: s.ids,
		Start: s.start, Elapsed: now.Sub(s.start), FeeMsat: s.feeMsat,
		Bytes: s.used(p.cfg.Carrier), State: s.state.String(), Reason: s.reason,
		MovedTo: s.movedTo, MovedRound: s.movedRound, Closed: s.closed,
		Continued: s.continued,
	}
	if s.continues != nil {
		r.Continues = s.continues.handle
	}
	if s.continuedBy != nil {
		r.ContinuedBy = s.continuedBy.handle
	}
	return r
}
