package paystream_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
	"pgregory.net/rapid"
)

// Under any terms a payer whose node works pays everything, no more, and is never
// cut, however fast it uses up its bytes.
func TestBothEndsAnyTerms(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		terms := relayTerms(func(x *policies.Terms) {
			x.Rounds = rapid.IntRange(2, 14).Draw(rt, "rounds")
			x.FreeRounds = rapid.IntRange(0, x.Rounds-1).Draw(rt, "free")
			seconds := rapid.IntRange(1, 120).Draw(rt, "interval")
			x.Interval = time.Duration(seconds) * time.Second
			x.Grace = time.Duration(rapid.IntRange(1, seconds).Draw(rt, "grace")) * time.Second
			x.RateMsat = rapid.Int64Range(1, 2000).Draw(rt, "rate")
			x.FinalMsat = rapid.Int64Range(1, 2000).Draw(rt, "final")
			x.FeeMsat = rapid.Int64Range(0, 2000).Draw(rt, "fee")
			x.Prepay = rapid.IntRange(1, x.Rounds).Draw(rt, "prepay")
		})
		opening := rapid.SampledFrom([]paystream.Opening{paystream.OpenFree, paystream.OpenFee, paystream.OpenAhead}).Draw(rt, "opening")
		hungry := rapid.Bool().Draw(rt, "hungry")
		policy := policies.DefaultPayment()
		policy.MaxCircuitMsat = 1_000_000
		bothEnds(t, terms, func(w *payerWorld, r *relay, link *payeeLink) {
			w.stop()
			w.policy = policy
			w.start()
			link.delay = 50 * time.Millisecond
			r.opening = func(paystream.Load) paystream.Opening { return opening }
			began := time.Now()
			h := w.openWith(link)
			for range terms.Rounds {
				w.wait(terms.Interval)
				if hungry {
					w.payer.NoteBytes(h, r.carrier.allowance(h))
				}
			}
			w.at(began, terms.Duration()+5*time.Second)
			want := terms.Schedule().TotalMsat()
			if opening == paystream.OpenFee {
				want += terms.FeeMsat
			}
			w.want("COMPLETED COMPLETED")
			w.wantPayee(r, h, paystream.StatusCompleted, want)
		})
		if t.Failed() {
			rt.Fatalf("under %s", terms)
		}
	})
}

func (c *fakeCarrier) allowance(h paystream.Handle) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.allowed[h]
}

// Pay streams that wait cost no goroutine each.
func TestPayerHasOneGoroutine(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.start()
		before := runtime.NumGoroutine()
		for range 300 {
			req := w.request()
			relay := newPayerRelay(newPayerNode(), req.Terms)
			req.Link = relay
			if _, err := w.payer.Open(w.Context(), req); err != nil {
				w.Fatal(err)
			}
		}
		synctest.Wait()
		if after := runtime.NumGoroutine(); after > before+2 {
			w.Errorf("%d goroutines with 300 pay streams, %d with none", after, before)
		}
	})
}
