package paystream

import "time"

// View is the payee's view of a pay stream, as its gateway answers it: money
// and time as the relay counts them, so that nobody has to argue. No wall time
// is in it; every duration counts from the moment of the answer.
type View struct {
	Handle      Handle
	Elapsed     time.Duration // since the pay stream's start; negative before a continuation begins
	Round       int           // the round that runs now, 1 to rounds
	BalanceMsat int64         // all that was credited
	PaidThrough int           // the last round that the balance covers
	FeeMsat     int64         // the opening fee that is owed
	DueMsat     int64         // what is missing for the next round that has to be paid
	DueIn       time.Duration // until that round is due
	LateIn      time.Duration // until it is too late, as moved by an outage
	Bytes       int64         // tunnelled so far
	Allowance   int64         // of at most so many
}
