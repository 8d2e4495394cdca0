package policies

import (
	"fmt"
	"time"
)

// Limits says how much may be spent, in msat, routing included. Each is a limit
// of its own, 0 for none, and all of them hold at once.
type Limits struct {
	CircuitMsat int64 // for one circuit (in any 24 hours, should it live that long)
	HourMsat    int64 // in any 60 minutes
	DayMsat     int64 // in any 24 hours
	TotalMsat   int64 // ever

	// ControllerMsat is for each controller in any 24 hours. Controllers names
	// those that have a limit of their own; there, 0 means nothing at all.
	ControllerMsat int64
	Controllers    map[string]int64
}

// Spend says for whom money is spent, and under which key it is held until it
// is known to be spent or not.
type Spend struct {
	Controller string // whose budget pays
	Circuit    string // tor's circuit id; empty: there is none yet, and payments do not add up
	Key        string // names the payment
}

// Spending is money that was spent, or is held: what the books tell a budget
// after a restart.
type Spending struct {
	Spend
	Msat int64     // routing included; of a held one the most that it may become
	At   time.Time // when it settled; zero: long ago, it counts only in the total
	Held bool
}

// Use is how much of one limit is used up.
type Use struct {
	Which     string // "hour", "day", "total", "circuit 12" or "controller alice"
	LimitMsat int64
	SpentMsat int64
	HeldMsat  int64
}

// LeftMsat is what may still be held.
func (u Use) LeftMsat() int64 { return max(0, u.LimitMsat-u.SpentMsat-u.HeldMsat) }

// OverBudget is the error of a payment that would go beyond a limit.
type OverBudget struct {
	Use
	AskedMsat int64
}

func (e *OverBudget) Error() string {
	return fmt.Sprintf("%d msat are more than the budget of this %s has left: %d of %d msat (%d spent, %d held)",
		e.AskedMsat, e.Which, e.LeftMsat(), e.LimitMsat, e.SpentMsat, e.HeldMsat)
}

// Reason is the REASON of a PAYSTREAM event for this error.
func (*OverBudget) Reason() string { return "BUDGET" }

// maxMsat is all the bitcoin there will ever be.
const maxMsat = 21e6 * 1e8 * 1e3
