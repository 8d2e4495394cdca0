package web

import (
	"time"

	"github.com/el-tor/tops/internal/figures"
)

// chart is bars over time, in a box of 100 × 100 units that is stretched. The
// words beside it are laid out by the page: text in a stretched box is stretched.
type chart struct {
	Bars    []bar
	Steps   []int64   // msat, of the scale's lines, the uppermost first; the last is 0
	Lines   []float64 // where they are
	Labels  []string  // under it, each at the beginning of as many bars
	SumMsat int64
	Each    string // what a bar is
	Span    string // of all of them
}

type bar struct {
	X, Y, Width, Height float64
	Label               string // when
	Msat                int64
	Payments            int
	Now                 bool // not over yet
}

// labels is how many words stand under a chart: 24 hours and 30 days can be
// divided by it.
const labels = 6

func newChart(bars []figures.Bar, step time.Duration) chart {
	c := chart{Each: "hour", Span: "24 hours"}
	if step >= 24*time.Hour {
		c.Each, c.Span = "day", "30 days"
	}
	var most int64
	for _, b := range bars {
		c.SumMsat += b.Msat
		most = max(most, b.Msat)
	}
	unit := scale(most)
	top := (most + unit - 1) / unit * unit
	for at := top; at >= 0; at -= unit {
		c.Steps = append(c.Steps, at)
		c.Lines = append(c.Lines, 100-100*float64(at)/float64(top))
	}
	width := 100 / float64(max(1, len(bars)))
	for i, b := range bars {
		h := 100 * float64(b.Msat) / float64(top)
		if b.Msat > 0 {
			h = max(h, 1) // to be seen at all
		}
		c.Bars = append(c.Bars, bar{
			X: float64(i)*width + width*0.14, Width: width * 0.72, Y: 100 - h, Height: h,
			Label: label(b.From, step, true), Msat: b.Msat, Payments: b.Payments, Now: i == len(bars)-1,
		})
		if i%max(1, len(bars)/labels) == 0 {
			c.Labels = append(c.Labels, label(b.From, step, false))
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

// scale is the distance between the lines of a chart: 1, 2 or 5 times a power of
// ten, so that there are three to five steps up to the highest bar.
func scale(most int64) int64 {
	for p := int64(1); ; p *= 10 {
		for _, f := range []int64{1, 2, 5} {
			if 5*p*f >= most {
				return p * f
			}
		}
	}
}
