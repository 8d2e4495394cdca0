package paystream

import (
	"fmt"
	"time"

	"github.com/el-tor/tops/policies"
)

// Budget is how much may still be spent. A payment's amount and the most that
// routing may take are held from before it begins until it has settled or can
// move no money any more.
type Budget interface {
	// Hold sets msat aside, or says which limit forbids it.
	Hold(now time.Time, on Spend, msat int64) error

	// Keep sets msat aside for a payment that began before a restart, whatever
	// the limits say now: it may have moved money already.
	Keep(now time.Time, on Spend, msat int64)

	// Settle turns what was held into what was spent; the rest is free again.
	Settle(now time.Time, on Spend, heldMsat, spentMsat int64)

	// Release frees what was held for a payment that moved nothing.
	Release(now time.Time, on Spend, heldMsat int64)
}

// Spend says on whose account and for what money goes.
type Spend struct {
	Controller string
	Circuit    string
}

// PaymentPolicy is what the user is willing to pay.
type PaymentPolicy interface {
	// Check refuses terms that cost more than the user allows.
	Check(policies.Terms) error

	// Prepay is how many rounds one payment should settle when routing it is
	// expected to cost routingMsat: the fewest that meet the cap on routing fees,
	// within what the terms and the user allow. 0 means that no number does.
	Prepay(t policies.Terms, routingMsat int64) int

	// MaxFeeMsat is the most that routing amountMsat may cost.
	MaxFeeMsat(amountMsat int64) int64
}

// Service judges what the money bought.
type Service interface {
	// Worth reports whether the service of a pay stream since a moment was worth
	// paying for. An idle pay stream is worth its price.
	Worth(h Handle, since time.Time) bool
}

// ErrFee is the kind of ErrRefused that a larger payment may cure: routing would
// have cost more than MaxFeeMsat.
var ErrFee = fmt.Errorf("%w: routing costs more than allowed", ErrRefused)
