package paystream

import (
	"time"
)

// Status is what a PAYSTREAM event reports.
type Status string

// The statuses of a PAYSTREAM event, in the order in which a pay stream meets
// them.
const (
	StatusTerms     Status = "TERMS"     // terms were read and accepted by policy
	StatusIntent    Status = "INTENT"    // the intent was sent (payer) or accepted (payee)
	StatusFree      Status = "FREE"      // the free rounds run
	StatusDue       Status = "DUE"       // a priced round runs that nothing covers yet
	StatusPaying    Status = "PAYING"    // a payment is under way
	StatusPaid      Status = "PAID"      // a payment settled (payer) or was credited (payee)
	StatusHeld      Status = "HELD"      // a payment is pending: neither paid nor failed
	StatusLate      Status = "LATE"      // a deadline passed unpaid
	StatusRefused   Status = "REFUSED"   // the relay or the policy said no
	StatusCompleted Status = "COMPLETED" // every round was served and paid
	StatusClosed    Status = "CLOSED"    // it is over
)

// Reason says why a pay stream ended or was refused.
type Reason string

// Reasons of PAYSTREAM events and of 402 answers with nothing due.
const (
	ReasonLate      Reason = "LATE"      // not paid in time
	ReasonCompleted Reason = "COMPLETED" // all rounds are over and paid
	ReasonClient    Reason = "CLIENT"    // the payer ended it
	ReasonQuality   Reason = "QUALITY"   // the payer found the service not worth it
	ReasonCircuit   Reason = "CIRCUIT"   // the circuit is gone
	ReasonRelay     Reason = "RELAY"     // the relay ended it or refused
	ReasonTerms     Reason = "TERMS"     // the terms are unusable or have changed
	ReasonPolicy    Reason = "POLICY"    // the terms cost more than the policy allows
	ReasonBudget    Reason = "BUDGET"    // the budget does not allow it
	ReasonFee       Reason = "FEE"       // routing would cost more than the policy allows
	ReasonWallet    Reason = "WALLET"    // the Lightning node cannot pay
	ReasonUnused    Reason = "UNUSED"    // its opening fee was paid, and no circuit was built with it in time
)

// Reasons lists them all.
func Reasons() []Reason {
	return []Reason{
		ReasonLate, ReasonCompleted, ReasonClient, ReasonQuality, ReasonCircuit, ReasonRelay, ReasonTerms,
		ReasonPolicy, ReasonBudget, ReasonFee, ReasonWallet, ReasonUnused,
	}
}

// Event is one change of one pay stream, for controllers, logs and books.
type Event struct {
	Handle   Handle
	Status   Status
	Circuit  string // tor's circuit id; empty on a relay
	Hop      int    // 0 on a relay
	Relay    string // fingerprint
	Round    int
	Rounds   int
	DueMsat  int64
	PaidMsat int64
	FeeMsat  int64 // routing on the payer's side, the opening fee on the payee's
	Reason   Reason
	At       time.Time
}
