package paystream

import "fmt"

// payerState is where a pay stream stands at its payer. Whether a live one is
// free, due or paid is no state: it follows from its balance and the clock. Nor
// is its payment part of it: money that is on its way outlives a pay stream.
type payerState uint8

const (
	payerOpening   payerState = iota // the relay was, or is about to be, asked
	payerLive                        // rounds run and are paid
	payerLeaving                     // rounds run and are not paid any more
	payerCompleted                   // every round was served and paid
	payerRefused                     // the relay, or the policy, said no
	payerClosed                      // it ended early
)

var payerStateNames = [...]string{"OPENING", "LIVE", "LEAVING", "COMPLETED", "REFUSED", "CLOSED"}

func (s payerState) String() string { return payerStateNames[s] }

// over reports whether nothing will be paid or served any more.
func (s payerState) over() bool { return s >= payerCompleted }

func parsePayerState(s string) (payerState, error) {
	for i, name := range payerStateNames {
		if name == s {
			return payerState(i), nil
		}
	}
	return 0, fmt.Errorf("%q is no state of a payer's pay stream", s)
}

// payerEvent is what can happen to a pay stream at its payer.
type payerEvent uint8

const (
	payerAdmitted  payerEvent = iota // the relay accepted the intent
	payerForgotten                   // the relay does not know the intent any more
	payerDenied                      // the relay, the policy or the wallet made opening impossible
	payerStop                        // nothing more will be paid, for a reason of our own
	payerOverdue                     // the relay ended it, or its deadline passed for good
	payerDone                        // the last round is over and everything is paid
	payerEnd                         // the user ends it
	payerEventEnd                    // how many there are
)

// payerTable is the whole life of a pay stream at its payer: from a state, on an
// event, to a state, announced as a status. An empty status means that what
// caused the event has been told already. What is not listed cannot happen; what
// happens again at the end, when two ways of ending meet, changes nothing.
var payerTable = []struct {
	from payerState
	on   payerEvent
	to   payerState
	say  Status
}{
	{payerOpening, payerAdmitted, payerLive, StatusIntent},
	{payerOpening, payerDenied, payerRefused, StatusRefused},
	{payerOpening, payerOverdue, payerClosed, StatusClosed}, // what it continues was not paid
	{payerOpening, payerEnd, payerClosed, StatusClosed},

	{payerLive, payerForgotten, payerOpening, ""},
	{payerLive, payerStop, payerLeaving, StatusDue},
	{payerLive, payerOverdue, payerClosed, StatusClosed},
	{payerLive, payerDone, payerCompleted, StatusCompleted},
	{payerLive, payerEnd, payerClosed, StatusClosed},

	{payerLeaving, payerForgotten, payerClosed, StatusClosed},
	{payerLeaving, payerOverdue, payerClosed, StatusClosed},
	{payerLeaving, payerDone, payerCompleted, StatusCompleted}, // a held payment made it after all
	{payerLeaving, payerEnd, payerClosed, StatusClosed},
}

// payerNext looks a transition up.
func payerNext(from payerState, on payerEvent) (to payerState, say Status, ok bool) {
	for _, t := range payerTable {
		if t.from == from && t.on == on {
			return t.to, t.say, true
		}
	}
	return from, "", false
}

// paymentEvent is what can happen to a payment.
type paymentEvent uint8

const (
	paymentInvoiced paymentEvent = iota // its invoice is known and durable
	paymentBegun                        // that paying begins is durable
	paymentSettled                      // the node says that it is complete
	paymentDropped                      // it will not be tried (again)
	paymentEventEnd                     // how many there are
)

// paymentTable is the life of one payment. After a restart, intent and invoice
// are dropped: paying is durable before the node is asked to pay, so that
// nothing can have moved. Paying is looked up until the node knows: it may be
// tried again with the same invoice, and dropped only when the node shows
// neither a pending nor a complete payment and can begin none any more.
var paymentTable = []struct {
	from PaymentStep
	on   paymentEvent
	to   PaymentStep
}{
	{StepIntent, paymentInvoiced, StepInvoice},
	{StepIntent, paymentDropped, StepFailed},
	{StepInvoice, paymentBegun, StepPaying},
	{StepInvoice, paymentDropped, StepFailed},
	{StepPaying, paymentBegun, StepPaying}, // the same invoice again
	{StepPaying, paymentSettled, StepPaid},
	{StepPaying, paymentDropped, StepFailed},
}

// paymentNext looks a step up.
func paymentNext(from PaymentStep, on paymentEvent) (to PaymentStep, ok bool) {
	for _, t := range paymentTable {
		if t.from == from && t.on == on {
			return t.to, true
		}
	}
	return from, false
}
