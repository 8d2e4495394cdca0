package paystream

import (
	"context"
	"time"

	"github.com/el-tor/tops/policies"
)

// PayerJournal is the payer's memory over a restart. Every step of a payment is
// durable before the next is taken.
type PayerJournal interface {
	// LoadPayer returns the pay streams that are not closed, and every payment
	// that is not over, whoever it belongs to.
	LoadPayer(ctx context.Context) (PayerState, error)

	// SavePayStream writes a pay stream, new or changed.
	SavePayStream(ctx context.Context, r PayerRecord) error

	// SavePayment writes a payment, new or changed.
	SavePayment(ctx context.Context, r PaymentRecord) error

	// Secret is the key from which payer_metadata is made: drawn once, kept with
	// the books.
	Secret(ctx context.Context) ([32]byte, error)
}

// PayerState is what a payer knows after a restart.
type PayerState struct {
	Streams  []PayerRecord
	Payments []PaymentRecord
}

// PayerRecord is one pay stream in the payer's journal. What was paid is not
// stored but summed up on loading, so that a payment that settles is counted in
// one write, once.
type PayerRecord struct {
	Preimage   Preimage
	Handle     Handle
	Terms      policies.Terms
	RoundIDs   []RoundID // of rounds 1 to the last, if a controller brought them
	Circuit    string
	Path       []string // fingerprints, to know the circuit again after a restart
	Hop        int      // 1 is the guard
	Controller string   // whose budget pays
	NoPay      bool     // the controller pays by itself
	Start      time.Time
	FeeMsat    int64 // the opening fee that the relay asked
	PaidMsat   int64 // filled in by LoadPayer: the sum of its payments that are paid
	Attempts   int   // filled in by LoadPayer: the highest attempt among its payments
	State      string
	Reason     Reason
	Continues  Handle
	Opened     time.Time
	Closed     time.Time
}

// PaymentStep is how far a payment has come. Each step is durable before the
// next begins.
type PaymentStep string

// The steps of a payment.
const (
	StepIntent  PaymentStep = "intent"  // amount and attempt are fixed
	StepInvoice PaymentStep = "invoice" // the invoice is known
	StepPaying  PaymentStep = "paying"  // the node was, or is about to be, asked to pay
	StepPaid    PaymentStep = "paid"    // settled
	StepFailed  PaymentStep = "failed"  // nothing moved, nothing will
)

// Open reports whether the payment may still move money.
func (s PaymentStep) Open() bool { return s != StepPaid && s != StepFailed }

// PaymentRecord is one payment in the payer's journal: one attempt to pay one
// amount under one note.
type PaymentRecord struct {
	Handle      Handle
	Round       int // whose id is the note; 0 is the opening fee
	Through     int // the last round that it pays, so that k = Through − Round + 1
	Attempt     int
	Note        RoundID
	AmountMsat  int64
	MaxFeeMsat  int64
	Step        PaymentStep
	Invoice     string
	PaymentHash string
	Expires     time.Time // of the invoice
	Paying      time.Time // when paying began
	SentMsat    int64     // what it cost, routing included, once paid
	Created     time.Time
	Settled     time.Time
	Controller  string // whose budget pays
	Circuit     string
}
