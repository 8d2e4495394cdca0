package policies

import (
	"fmt"
	"time"
)

// Pace is how fast a circuit was for whoever waited for it.
type Pace struct {
	Goodput   int64         // bytes a second while somebody waited for some; UnknownGoodput if nobody did
	FirstByte time.Duration // from a request to the first byte of its answer; 0 if there was none
}

// UnknownGoodput is the goodput of a circuit that nobody waited for.
const UnknownGoodput = -1

// TooSlow is the error of a circuit that is not worth its price.
type TooSlow struct {
	What        string // "goodput" or "first byte"
	Seen, Limit string
	Usual       bool // the limit comes from what is usual for this client, not from the policy
}

func (e *TooSlow) Error() string {
	of := "the policy's"
	if e.Usual {
		of = "this client's usual"
	}
	return fmt.Sprintf("%s %s, where %s limit is %s", e.What, e.Seen, of, e.Limit)
}

// Reason is the REASON of a PAYSTREAM event for this error.
func (*TooSlow) Reason() string { return "QUALITY" }

// usualFirstByte is the least that counts as a slow first byte when it is compared
// with other circuits alone: below it nobody notices.
const usualFirstByte = 2 * time.Second

// Judge holds the pace of a circuit against the policy's limits, and against usual,
// the median of this client's other recent circuits. The error is a *TooSlow.
func (p Payment) Judge(seen, usual Pace) error {
	rate := func(n int64) string { return fmt.Sprintf("%d bytes/s", n) }
	share := int64(float64(usual.Goodput) * p.SlowestShare)
	switch g := seen.Goodput; {
	case g == UnknownGoodput:
	case g < p.MinGoodput:
		return &TooSlow{"goodput", rate(g), rate(p.MinGoodput), false}
	case p.SlowestShare > 0 && usual.Goodput > 0 && g < share:
		return &TooSlow{"goodput", rate(g), rate(share), true}
	}
	round := func(d time.Duration) string { return d.Round(time.Millisecond).String() }
	switch f := seen.FirstByte; {
	case f == 0:
	case p.MaxFirstByte > 0 && f > p.MaxFirstByte:
		return &TooSlow{"first byte", round(f), round(p.MaxFirstByte), false}
	case p.SlowestShare > 0 && usual.FirstByte > 0:
		limit := max(usualFirstByte, time.Duration(float64(usual.FirstByte)/p.SlowestShare))
		if f > limit {
			return &TooSlow{"first byte", round(f), round(limit), true}
		}
	}
	return nil
}
