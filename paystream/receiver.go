package paystream

import (
	"context"
	"time"
)

// Settlement is money that came in: one paid invoice of the payee's node.
type Settlement struct {
	PayIndex    uint64 // the node's own count of paid invoices: it grows, unless the node is restored from an older state
	PaymentHash string // hex
	Label       string // the invoice's label
	Note        string // the payer's note: a round's id, if it is meant for us
	OfferID     string // the offer that it was paid to, empty for a plain invoice
	Description string // a plain invoice's
	AmountMsat  int64  // amount_received_msat
	PaidAt      time.Time
}

// Position is how far a node's settlements have been followed: to the one with
// this pay_index. Its hash and time tell, after a restart, whether the node still
// remembers it: one that was restored from an older state gives the same
// pay_index to another payment.
type Position struct {
	PayIndex    uint64
	PaymentHash string    // empty if it is not known
	PaidAt      time.Time // likewise zero
}

// Position is that of a follower who has this settlement, and all before it.
func (s Settlement) Position() Position {
	return Position{PayIndex: s.PayIndex, PaymentHash: s.PaymentHash, PaidAt: s.PaidAt}
}

// Sink takes settlements in the order of their PayIndex.
type Sink interface {
	// Deliver takes settlements. They are durable when it returns without an
	// error; after an error the same are delivered again.
	Deliver(ctx context.Context, batch []Settlement) error

	// Rewind makes what follows a position be delivered, though what came later
	// was delivered before: the node was restored from an older state, and counts
	// from there again. Payments that are booked are known by their hash.
	Rewind(ctx context.Context, to Position) error
}

// Receiver is the payee's Lightning node. It pushes settlements into a [Sink],
// and answers one question: up to when is the sink's knowledge complete?
type Receiver interface {
	// Run delivers every settlement after a position, until ctx ends. It
	// reconnects by itself, and rewinds the sink if the node does not remember the
	// position.
	Run(ctx context.Context, from Position, sink Sink) error

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
