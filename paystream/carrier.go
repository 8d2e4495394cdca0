package paystream

import (
	"context"
	"time"
)

// Carrier is the payee's hold on the service that it sells: the gateway of a
// stock tor, or El Tor's tor. The engine decides, the carrier enforces. Its
// methods return at once and may be called while the engine holds its lock: a
// carrier must not call back from them.
type Carrier interface {
	// Allow sets how many bytes the pay stream may tunnel in all. At the limit
	// the carrier stops reading; it goes on when the limit rises.
	Allow(h Handle, bytes int64)

	// Stop cuts every connection of the pay stream, for good.
	Stop(h Handle, reason Reason)

	// Move gives the open connections of old to the pay stream that continues it.
	Move(old, new Handle)

	// Used is how many bytes the pay stream has tunnelled since the carrier
	// first heard of it.
	Used(h Handle) int64

	// Pause makes the carrier read nothing and serve nobody new while the payee
	// cannot ask its node; Pause(false) lets it go on.
	Pause(paused bool)
}

// Link is the payer's line to one payee: the gateway of a relay, reached
// through the circuit that is paid for. Errors are those of errors.go, or the
// network's, after which the payer may ask again.
type Link interface {
	// Open delivers the intent. Doing so again is harmless.
	Open(ctx context.Context, in Intent) (Answer, error)

	// View asks for the payee's view.
	View(ctx context.Context, h PaymentIDHash) (Answer, error)

	// End ends the pay stream.
	End(ctx context.Context, h PaymentIDHash, p Preimage) (Answer, error)

	// Invoice asks for a plain BOLT11 invoice, for when the payee's node cannot
	// be reached with onion messages.
	Invoice(ctx context.Context, h PaymentIDHash, round int, amountMsat int64) (string, error)
}

// Answer is a view and the moment, by the payer's clock, when the first byte of
// the question left: the only moment from which the payer may count, if it is
// never to believe a deadline later than the payee does.
type Answer struct {
	View
	Asked time.Time
}

// Start is when the pay stream began, as the payer may believe it.
func (a Answer) Start() time.Time { return a.Asked.Add(-a.Elapsed) }
