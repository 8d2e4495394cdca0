package web

import (
	"time"

	"github.com/el-tor/tops/internal/figures"
)

// chart is bars over time, in a box of 100 × 100 units that is stretched.
type chart struct {
	Bars    []bar
	Labels  []string // under it, evenly spaced
	TopMsat int64    // the upper edge
	SumMsat int64
}

type bar struct {
	X, Y, Width, Height float64
	Label               string // when
	Msat                int64
	Payments            int
	Now                 bool // not over yet
}

func newChart(bars []figures.Bar, step time.Duration) chart {
	c := chart{TopMsat: 1000}
	for _, b := range bars {
		c.SumMsat += b.Msat
		c.TopMsat = max(c.TopMsat, roundUp(b.Msat))
	}
	width := 100 / float64(max(1, len(bars)))
	for i, b := range bars {
		h := 100 * float64(b.Msat) / float64(c.TopMsat)
		if b.Msat > 0 {
			h = max(h, 1.5) // to be seen at all
		}
		c.Bars = append(c.Bars, bar{
			X: float64(i)*width + width*0.14, Width: width * 0.72, Y: 100 - h, Height: h,
			Label: label(b.From, step, true), Msat: b.Msat, Payments: b.Payments, Now: i == len(bars)-1,
		})
	}
	if n := len(bars); n > 0 {
		for _, i := range []int{0, n / 4, n / 2, 3 * n / 4, n - 1} {
			c.Labels = append(c.Labels, label(bars[i].From, step, false))
		}
	}
	return c
}

func label(from time.Time, step time.Duration, whole bool) string {
	if step >= 24*time.Hour {
		return from.Format("2 Jan")
	}
	if whole {
		return from.Format("2 Jan, 15:04") + "–" + from.Add(step).Format("15:04")
	}
	return from.Format("15:04")
}

// roundUp is the next amount that is 1, 2 or 5 times a power of ten.
func roundUp(msat int64) int64 {
	for p := int64(1); ; p *= 10 {
		for _, f := range []int64{1, 2, 5} {
			if p*f >= msat {
				return p * f
			}
		}
	}
}
