package paystream

import (
	"context"
	"errors"
	"time"

	"github.com/el-tor/tops/policies"
)

// Wallet is the payer's Lightning node. It is asked for one step at a time,
// because the payer journals each before it takes the next.
type Wallet interface {
	// FetchInvoice asks the payee's node for an invoice and checks that it says
	// what was asked for (who, how much, which note, for how long) before it
	// returns it. The same request twice gives the same invoice. Errors wrap
	// ErrUnavailable, ErrTryAgain or ErrRefused.
	FetchInvoice(ctx context.Context, req InvoiceRequest) (Invoice, error)

	// CheckInvoice decodes an invoice that came another way (a gateway's BOLT11)
	// and holds it to the same request.
	CheckInvoice(ctx context.Context, req InvoiceRequest, invoice string) (Invoice, error)

	// Pay pays an invoice. A nil error means settled. ErrHeld means that money
	// may be on its way: only Lookup can tell. ErrTryAgain means that nothing
	// moved and the same invoice may be tried again; ErrRefused that nothing
	// moved and this invoice will never be paid. Paying a paid invoice again
	// succeeds with the first result.
	Pay(ctx context.Context, req PayRequest) (Payment, error)

	// Lookup asks what became of a payment: the answer to every doubt.
	Lookup(ctx context.Context, paymentHash string) (Payment, error)
}

// InvoiceRequest says what an invoice is wanted for.
type InvoiceRequest struct {
	Descriptor policies.Descriptor
	AmountMsat int64
	Note       RoundID
	// Metadata is the payer_metadata: the same for the same id, amount and
	// attempt, so that a repeated request yields the same invoice. Hex.
	Metadata string
	Timeout  time.Duration
}

// Invoice is what may be paid.
type Invoice struct {
	String      string // lni1… or lnbc…
	PaymentHash string // hex
	AmountMsat  int64
	Expires     time.Time
}

// PayRequest says how an invoice may be paid.
type PayRequest struct {
	Invoice    Invoice
	MaxFeeMsat int64         // the most that routing may cost, msat
	RetryFor   time.Duration // how long the node may keep trying
}

// PaymentStatus is what a node says of a payment.
type PaymentStatus int

// What a node may say of a payment.
const (
	PaymentUnknown  PaymentStatus = iota // the node has never heard of it
	PaymentPending                       // money may be on its way
	PaymentComplete                      // settled
	PaymentFailed                        // nothing moved, nothing will
)

func (s PaymentStatus) String() string {
	return [...]string{"unknown", "pending", "complete", "failed"}[s]
}

// Payment is a node's word on one payment.
type Payment struct {
	PaymentHash string
	Status      PaymentStatus
	AmountMsat  int64 // what the payee received
	SentMsat    int64 // what the payer gave, routing included
}

// FeeMsat is what routing took.
func (p Payment) FeeMsat() int64 { return p.SentMsat - p.AmountMsat }

// What a wallet's errors mean for the payer. They are matched with errors.Is.
var (
	ErrUnavailable = errors.New("the lightning node does not answer")
	ErrTryAgain    = errors.New("nothing moved, the same may be tried again")
	ErrHeld        = errors.New("the payment is pending")
	ErrRefused     = errors.New("the payment was refused")
)
