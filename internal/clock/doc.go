// Package clock is the time by which tops counts rounds, deadlines and budgets.
//
// Neither of the clocks that Go gives is right for that. The wall clock jumps
// when NTP or a person sets it: a deadline would come an hour early. The
// monotonic clock stops while the machine sleeps: a laptop that wakes up would
// pay for rounds that were over long ago, and believe itself in time.
//
// A [Clock] reads the wall once, when it is made, and from then on counts what
// Linux calls CLOCK_BOOTTIME, which does neither:
//
//	c := clock.New()
//	now := c.Now()            // the wall time at New, and all that has passed since
//	c.Skew()                  // how far the wall clock has moved against that
//
// Its times have no monotonic reading, so that a difference between two of them
// is what this clock says, suspend included, and == means the same instant
// after a journal has kept them. They are for this process: after a restart the
// wall is read again, and whoever needs elapsed time over a restart journals it.
//
// Whoever acts on the wall clock of another machine, or on a time from before
// the start, asks [Clock.Jumped] first: a payer whose clock jumped asks its
// relay before it pays.
package clock
