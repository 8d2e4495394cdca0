package paystream_test

import (
	"slices"
	"testing"
	"time"

	"github.com/el-tor/tops/paystream"
	"pgregory.net/rapid"
)

// Both ends are killed at random moments and are back within seconds: nobody is
// cut, every round is paid once, and both books have the same money.
func TestBothEndsKilled(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type kill struct {
			at      time.Duration
			payer   bool
			absence time.Duration
		}
		kills := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) kill {
			return kill{
				at:      time.Duration(rapid.IntRange(0, 660).Draw(rt, "second"))*time.Second + time.Duration(rapid.IntRange(0, 999).Draw(rt, "ms"))*time.Millisecond,
				payer:   rapid.Bool().Draw(rt, "payer"),
				absence: time.Duration(rapid.IntRange(0, 4000).Draw(rt, "absence")) * time.Millisecond,
			}
		}), 1, 4).Draw(rt, "kills")
		slices.SortFunc(kills, func(a, b kill) int { return int(a.at - b.at) })

		bothEnds(t, relayTerms(), func(w *payerWorld, r *relay, link *payeeLink) {
			w.node.slow = func() { time.Sleep(300 * time.Millisecond) } // so that a kill may hit a payment
			began := time.Now()
			h := w.openWith(link)
			for _, k := range kills {
				w.at(began, k.at)
				if !k.payer {
					link.restart(k.absence)
					continue
				}
				w.stop()
				time.Sleep(k.absence)
				for _, live := range w.start() {
					if err := w.payer.Resume(live.Handle, link); err != nil {
						w.Fatal(err)
					}
				}
			}
			w.at(began, time.Hour)
			if w.was("LATE") || !w.was("COMPLETED COMPLETED") {
				w.Errorf("events %q", w.told())
			}
			w.wantSent(10_000, 9)
			if got := r.booked(h, paystream.BookedCredit); got != 10_000 {
				w.Errorf("the payee was credited %d msat, want 10000", got)
			}
		})
		if t.Failed() {
			rt.Fatalf("killed %+v", kills)
		}
	})
}
