package paystream

import (
	"fmt"
	"time"

	"github.com/el-tor/tops/policies"
)

// Budget is how much may still be spent; [policies.Budget] is one. A payment's
// amount and the most that routing may take are held from before it begins until
// it has settled or can move no money any more. The payer calls it from one
// goroutine at a time.
type Budget interface {
	// Hold sets msat aside under a key, or says which limit forbids it. Holding
	// the same again changes nothing.
	Hold(now time.Time, s policies.Spend, msat int64) error

	// Settle turns what is held under a key into what was spent.
	Settle(key string, now time.Time, msat int64)

	// Release frees what is held under a key: nothing moved.
	Release(key string)
}

// Spend says on whose account the payment goes, and under which key of the
// budget.
func (r PaymentRecord) Spend() policies.Spend {
	return policies.Spend{
		Controller: r.Controller, Circuit: r.Circuit,
		Key: fmt.Sprintf("%s-%d-%d-%d", r.Handle, r.Round, r.AmountMsat, r.Attempt),
	}
}

// HeldMsat is the most that the payment may come to, routing included.
func (r PaymentRecord) HeldMsat() int64 { return r.AmountMsat + r.MaxFeeMsat }

// PaymentPolicy is what the user is willing to pay; [policies.Payment] is one.
type PaymentPolicy interface {
	// Check refuses terms that cost more than the user allows.
	Check(hops ...policies.Terms) error

	// Prepay is how many rounds, from round on, to pay at once: the fewest whose
	// routing meets the cap. An error says that no number does.
	Prepay(t policies.Terms, round int, feeMsat func(amountMsat int64) int64) (rounds int, err error)

	// RoutingCapMsat is the most that routing amountMsat may cost.
	RoutingCapMsat(amountMsat int64) int64
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
