package paystream

import (
	"sync"
	"time"

	"github.com/el-tor/tops/policies"
)

// payerStream is one pay stream at its payer. Payer.mu guards it, but for
// saving and what never changes.
type payerStream struct {
	appointment

	// Fixed when the pay stream begins.
	preimage   Preimage
	hash       PaymentIDHash
	handle     Handle
	terms      policies.Terms
	termsHash  policies.TermsHash
	prices     policies.Schedule
	ids        []RoundID // of rounds 1 to the last, if a controller brought them
	noPay      bool
	circuit    string
	path       []string
	hop        int
	controller string
	opened     time.Time
	continues  *Continuation // until the relay has admitted it
	before     Handle        // the pay stream that it continues

	saving sync.Mutex // held while its record is written, so that the last written is the newest

	link   Link // nil after a restart, until the caller finds the circuit again
	state  payerState
	reason Reason
	closed time.Time
	dirty  bool // changed since it was saved
	gone   bool // looked at no more
	busy   bool // a goroutine works for it; it is in no agenda then

	start     time.Time
	earliest  time.Time // no payee can have begun it before; zero after a restart
	feeMsat   int64     // the opening fee that is owed
	paidMsat  int64
	routeMsat int64 // what routing has cost
	attempts  int
	payment   *payerPayment // the one that is not over
	after     *payerStream  // the one that continues it

	payerAsks
	payerOpens
	payerPays
}

// payerAsks is what is known of the payee's view.
type payerAsks struct {
	doubt     bool      // ask before anything is paid
	retry     time.Time // not before
	tries     int       // questions in a row that nobody answered
	heard     time.Time // when the last question that was answered was asked
	confirm   time.Time // when to see whether the first payment arrived
	theirs    int64     // the balance as the payee sees it, msat
	moved     time.Time // the deadline of round movedFor, as the payee has it; none after it is earlier
	movedFor  int
	used      int64 // bytes tunnelled
	refused   bool  // the payee took no connection for want of bytes
	announced int   // the last round that was announced as due
}

// payerOpens is how the wait for the first 201 ends.
type payerOpens struct {
	by       time.Time     // until when it is tried
	settled  chan struct{} // closed when it is over; nil when nobody waits
	err      error         // why it failed
	demanded bool          // the opening demand was met: it is met only once
	patient  bool          // whoever opens it ends it, the clock does not
	kept     bool          // it was put aside, to be opened again
	taken    bool          // and somebody is about to
}

// payerPays is what decides when the next payment begins.
type payerPays struct {
	round     int       // that phase was drawn for
	phase     float64   // in [½, 1]: which part of the lead is used
	early     float64   // in [0, ½): which part of the interval passes before the invoice is asked for
	notBefore time.Time // after a payment that failed
	fails     int       // payments in a row that failed
	since     time.Time // when the service was last judged
	trouble   Reason    // why the last payment failed
}

func (s *payerStream) entry() *appointment { return &s.appointment }

// note is the id of round r.
func (s *payerStream) note(r int) RoundID {
	if s.ids != nil && r > 0 {
		return s.ids[r-1]
	}
	return s.hash.RoundID(s.termsHash, r)
}

// due is when round r is due.
func (s *payerStream) due(r int) time.Time { return s.start.Add(s.terms.Due(r)) }

// believable is the start that an answer shows, but none before anybody can have begun:
// by more than the grace, and what clocks run apart. Who counts time that has not passed
// would be paid for rounds that he has not served.
func (s *payerStream) believable(start, now time.Time) time.Time {
	if s.earliest.IsZero() {
		return start
	}
	apart := s.terms.Grace + max(0, now.Sub(s.earliest))/1000
	return latest(start, s.earliest.Add(-apart))
}

// late is when round r is too late: its due time and the grace, or where the
// payee moved it or a round before it.
func (s *payerStream) late(r int) time.Time {
	late := s.due(r).Add(s.terms.Grace)
	if s.movedFor <= r && s.moved.After(late) {
		return s.moved
	}
	return late
}

// current is the round that runs at now; 1 before the start.
func (s *payerStream) current(now time.Time) int {
	if s.terms.Rounds == 0 { // only its payment was recovered
		return 0
	}
	r := int(now.Sub(s.start)/s.terms.Interval) + 1
	return max(1, min(r, s.terms.Rounds))
}

// balanceMsat is what settled payments come to. A payee that counts more than
// we sent is believed: it is its own loss.
func (s *payerStream) balanceMsat() int64 { return max(s.paidMsat, s.theirs) }

// toldMsat is what was paid, as others are told: what the controller pays, only the
// relay knows.
func (s *payerStream) toldMsat() int64 {
	if s.noPay {
		return s.balanceMsat()
	}
	return s.paidMsat
}

// paidThrough is the last round that needs no payment.
func (s *payerStream) paidThrough() int { return s.prices.PaidThrough(s.balanceMsat(), s.feeMsat) }

// next is the next round that has to be paid; rounds+1 when none has.
func (s *payerStream) next() int { return max(s.paidThrough()+1, s.prices.FirstPriced()) }

// priceMsat is what is missing for the rounds up to and including r.
func (s *payerStream) priceMsat(r int) int64 {
	return s.feeMsat + s.prices.ThroughMsat(r) - s.balanceMsat()
}

// dueMsat is what is missing for the next round.
func (s *payerStream) dueMsat() int64 {
	if r := s.next(); r <= s.terms.Rounds {
		return s.priceMsat(r)
	}
	return 0
}

// allowance is how many bytes may be tunnelled in all.
func (s *payerStream) allowance() int64 {
	paid := s.paidThrough()
	return s.terms.AllowanceBytes(s.balanceMsat() > 0, s.before != "", s.prices.PricedThrough(paid))
}

// nearlyUsed reports whether the allowance ends before the clock would have the
// next round paid: half of the free bytes, or a quarter of a round's, are left. One of
// which nothing was used ends only where somebody has met its end.
func (s *payerStream) nearlyUsed() bool {
	margin := s.terms.RoundBytes / 4
	if s.balanceMsat() == 0 && s.before == "" {
		margin = s.terms.FreeBytes / 2
	}
	return (s.used > 0 || s.refused) && s.used >= s.allowance()-margin
}

// furthest is the last round that a payment begun now may settle: never more
// than prepay rounds at once, counted from the one that runs, or from the first
// priced one while nothing is priced yet.
func (s *payerStream) furthest(now time.Time) int {
	from := max(s.current(now), s.prices.FirstPriced())
	return min(from+s.terms.Prepay-1, s.terms.Rounds)
}

// overdue is the last round that should have been paid by now: after an outage
// several are.
func (s *payerStream) overdue(now time.Time) int {
	r := int(now.Add(s.lead()/2).Sub(s.start) / s.terms.Interval)
	return max(0, min(r, s.terms.Rounds)) // the last round too, once it is over
}

// lead is how long before it is due a payment begins at the earliest.
func (s *payerStream) lead() time.Duration { return min(maxLead, s.terms.Interval/3) }

// reachable is from when on round r is not too far ahead to be paid.
func (s *payerStream) reachable(r int) time.Time {
	if from := r - s.terms.Prepay + 1; from > s.prices.FirstPriced() {
		return s.due(from - 1)
	}
	return s.start
}

// payBy is until when a payment that begins now must have ended.
func (s *payerStream) payBy() time.Time {
	if s.state == payerOpening {
		return s.by
	}
	return s.late(min(s.next(), s.terms.Rounds))
}

// intent is what the relay is told.
func (s *payerStream) intent() Intent {
	return Intent{Hash: s.hash, TermsHash: s.termsHash, Continues: s.continues, RoundIDs: s.ids}
}

func (s *payerStream) record() PayerRecord {
	return PayerRecord{
		Preimage: s.preimage, Handle: s.handle, Terms: s.terms, RoundIDs: s.ids, NoPay: s.noPay,
		Circuit: s.circuit, Path: s.path, Hop: s.hop, Controller: s.controller,
		Start: s.start, FeeMsat: s.feeMsat, PaidMsat: s.paidMsat, Attempts: s.attempts,
		State: s.state.String(), Reason: s.reason, Continues: s.before,
		Opened: s.opened, Closed: s.closed,
	}
}

// status is the event word for where the pay stream stands.
func (s *payerStream) status(now time.Time) Status {
	switch s.state {
	case payerOpening:
		return StatusIntent
	case payerCompleted:
		return StatusCompleted
	case payerRefused:
		return StatusRefused
	case payerClosed:
		return StatusClosed
	}
	switch r := s.current(now); {
	case s.payment != nil && s.payment.doubtful:
		return StatusHeld
	case s.payment != nil && s.payment.Step == StepPaying:
		return StatusPaying
	case s.paidThrough() >= r && r >= s.prices.FirstPriced():
		return StatusPaid
	case r < s.prices.FirstPriced():
		return StatusFree
	default:
		return StatusDue
	}
}
