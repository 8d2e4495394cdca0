package paystream

import (
	"context"
	"time"
)

// Settlement is money that came in: one paid invoice of the payee's node.
type Settlement struct {
	PayIndex    uint64 // the node's own count of paid invoices, without gaps for us to rely on, always growing
	PaymentHash string // hex
	Label       string // the invoice's label
	Note        string // the payer's note: a round's id, if it is meant for us
	OfferID     string // the offer that it was paid to, empty for a plain invoice
	AmountMsat  int64  // amount_received_msat
	PaidAt      time.Time
}

// Sink takes settlements in the order of their PayIndex. They are durable when
// Deliver returns without an error; after an error the same are delivered again.
type Sink interface {
	Deliver(ctx context.Context, batch []Settlement) error
}

// Receiver is the payee's Lightning node. It pushes settlements into a [Sink],
// and answers one question: up to when is the sink's knowledge complete?
type Receiver interface {
	// Run delivers every settlement after pay_index from, until ctx ends. It
	// reconnects by itself.
	Run(ctx context.Context, from uint64, sink Sink) error

	// Sync returns a time before which everything that settled has been
	// delivered. A deadline earlier than that may be judged; no other may.
	Sync(ctx context.Context) (time.Time, error)

	// Invoice makes a plain BOLT11 invoice under a label, or returns the one
	// that has it, if it is still unpaid and for the same amount. A description
	// that is a JSON array, the metadata of LUD-06, goes in as its hash.
	Invoice(ctx context.Context, label string, amountMsat int64, description string) (string, error)

	// DeleteInvoice removes an unpaid invoice by its label. One that is gone
	// already is no error; one that was paid meanwhile is ErrPaid.
	DeleteInvoice(ctx context.Context, label string) error
}
