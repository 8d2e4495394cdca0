package paystream

import "fmt"

// payeeState is where a pay stream stands at its payee. Whether a live one is
// free, due or paid is no state: it follows from its balance and the clock.
type payeeState uint8

const (
	payeePending   payeeState = iota // continues another that is not over yet
	payeeLive                        // rounds run
	payeeEnding                      // the rounds are over, the last price is still owed
	payeeCompleted                   // over, and paid in full
	payeeLate                        // cut: not paid in time
	payeeClosed                      // ended by its payer
)

var payeeStateNames = [...]string{"PENDING", "LIVE", "ENDING", "COMPLETED", "LATE", "CLOSED"}

func (s payeeState) String() string { return payeeStateNames[s] }

// over reports whether the pay stream will never be served again.
func (s payeeState) over() bool { return s >= payeeCompleted }

func parsePayeeState(s string) (payeeState, error) {
	for i, name := range payeeStateNames {
		if name == s {
			return payeeState(i), nil
		}
	}
	return 0, fmt.Errorf("%q is no state of a payee's pay stream", s)
}

// payeeEvent is what can happen to a pay stream at its payee.
type payeeEvent uint8

const (
	payeeBegin    payeeEvent = iota // its start has come, and what it continues is paid
	payeeOver                       // its last round is over
	payeeFull                       // its last round is over and everything is paid
	payeeOverdue                    // a deadline passed, and the watermark with it
	payeeAbandon                    // what it continues was not paid
	payeeEnd                        // its payer ends it
	payeeEventEnd                   // how many there are
)

// payeeAction is what a transition makes the carrier do.
type payeeAction uint8

const (
	actNone     payeeAction = iota
	actServe                // let the carrier serve it
	actHandOver             // give its connections to its continuation, close the rest
	actCut                  // cut its connections, and its continuation with it
)

// payeeTable is the whole life of a pay stream at its payee. What it does not
// list cannot happen.
var payeeTable = []struct {
	from payeeState
	on   payeeEvent
	to   payeeState
	act  payeeAction
}{
	{payeePending, payeeBegin, payeeLive, actServe},
	{payeePending, payeeAbandon, payeeLate, actCut},
	{payeePending, payeeEnd, payeeClosed, actCut},

	{payeeLive, payeeOver, payeeEnding, actNone},
	{payeeLive, payeeFull, payeeCompleted, actHandOver},
	{payeeLive, payeeOverdue, payeeLate, actCut},
	{payeeLive, payeeEnd, payeeClosed, actCut},

	{payeeEnding, payeeFull, payeeCompleted, actHandOver},
	{payeeEnding, payeeOverdue, payeeLate, actCut},
	{payeeEnding, payeeEnd, payeeClosed, actCut},
}

// payeeNext looks a transition up.
func payeeNext(from payeeState, on payeeEvent) (to payeeState, act payeeAction, ok bool) {
	for _, t := range payeeTable {
		if t.from == from && t.on == on {
			return t.to, t.act, true
		}
	}
	return from, actNone, false
}
