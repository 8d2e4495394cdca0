package clock

import (
	"sync/atomic"
	"time"
)

// Tolerance is how far the wall clock may move against boot time between two
// calls of Jumped before it counts as set. NTP's slewing does not show at all
// (it bends both clocks alike); what does is a step, and one that matters is of
// the order of the shortest grace, 1 s.
const Tolerance = 500 * time.Millisecond

// Clock counts from the wall time at its making. Its methods may be called from
// any goroutine.
type Clock struct {
	src   Source
	start time.Time     // wall time at New, without a monotonic reading
	boot  time.Duration // boot time at New
	seen  atomic.Int64  // the skew that Jumped has reported
}

// Source is where a clock reads time. The zero value reads the machine's.
type Source struct {
	Boot func() time.Duration // since boot, time asleep included
	Wall func() time.Time     // what the machine believes the date to be
}

// New returns a clock of this machine.
func New() *Clock { return NewFrom(Source{}) }

// NewFrom returns a clock of another source, for tests and simulations.
func NewFrom(src Source) *Clock {
	if src.Boot == nil {
		src.Boot = Boot
	}
	if src.Wall == nil {
		src.Wall = time.Now
	}
	c := &Clock{src: src, boot: src.Boot()}
	c.start = src.Wall().Round(0)
	return c
}

// Now is the wall time at New and what has passed since, time asleep included.
func (c *Clock) Now() time.Time { return c.start.Add(c.src.Boot() - c.boot) }

// Skew is how far the wall clock has moved against this one since New: positive
// if it was set forward.
func (c *Clock) Skew() time.Duration { return c.src.Wall().Round(0).Sub(c.Now()) }

// Jumped reports whether somebody has set the wall clock, by more than
// [Tolerance], since the last call; the first call looks back to New. A slow
// drift is no jump.
func (c *Clock) Jumped() bool {
	skew := c.Skew()
	return (skew - time.Duration(c.seen.Swap(int64(skew)))).Abs() > Tolerance
}
