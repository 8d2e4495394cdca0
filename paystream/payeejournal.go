package paystream

import (
	"context"
	"time"

	"github.com/el-tor/tops/policies"
)

// PayeeJournal is the payee's memory over a restart. The node remembers every
// payment; the journal remembers which of them were credited to what.
type PayeeJournal interface {
	// LoadPayee returns the pay streams that are live or closed after since, the
	// settlements that are still unclaimed and younger than since, the terms that
	// were retired after it, and the position up to which everything is booked.
	LoadPayee(ctx context.Context, since time.Time) (PayeeState, error)

	// CommitPayee makes a batch durable, all or nothing. It returns the payment
	// hashes among the bookings that had been credited or booked late before:
	// those change nothing. A booking of a payment that is unclaimed takes its
	// place.
	CommitPayee(ctx context.Context, b PayeeBatch) (known []string, err error)
}

// PayeeState is what a payee knows after a restart.
type PayeeState struct {
	Position
	Streams   []PayeeRecord
	Unclaimed []Settlement
	Terms     []RetiredTerms
}

// RetiredTerms are terms that were offered once and are honoured until they
// are forgotten.
type RetiredTerms struct {
	Terms   policies.Terms
	Retired time.Time // zero for those in force
}

// PayeeBatch is what becomes durable together. The position is never ahead of
// the bookings, and one with a lower pay_index than before changes nothing,
// unless Rewind is set.
type PayeeBatch struct {
	Position
	Rewind   bool
	Streams  []PayeeRecord
	Bookings []Booking
	Terms    []RetiredTerms
}

// PayeeRecord is one pay stream in the payee's journal. Its balance is not
// stored: it is the sum of the bookings credited to it, and is filled in on
// loading.
type PayeeRecord struct {
	Hash        PaymentIDHash
	Handle      Handle
	Terms       policies.Terms
	RoundIDs    []RoundID // brought by the payer, else nil
	Start       time.Time
	Elapsed     time.Duration // when this record was written, negative before the start: a clock set back does not undo it
	FeeMsat     int64         // the opening fee that is owed
	BalanceMsat int64         // filled in by LoadPayee
	Bytes       int64         // tunnelled, when this record was written
	State       string
	Reason      Reason
	MovedTo     time.Time // the deadline as moved by an outage, zero if it was not
	MovedRound  int       // the last round whose deadline moved
	Continues   Handle    // the pay stream before this one
	ContinuedBy Handle    // and the one after
	Continued   bool      // it continues another, even one that is forgotten
	Closed      time.Time // zero while it lives
}

// BookingKind says what became of a settlement.
type BookingKind string

// What becomes of a settlement.
const (
	BookedCredit    BookingKind = "credit"    // added to a pay stream's balance
	BookedLate      BookingKind = "late"      // came after its pay stream had ended
	BookedUnclaimed BookingKind = "unclaimed" // fits no pay stream yet
)

// Booking enters a settlement into the books.
type Booking struct {
	Settlement
	Kind   BookingKind
	Handle Handle // empty for an unclaimed one
	Round  int    // whose id the note was
	At     time.Time
}
