package paystream_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/el-tor/tops/paystream"
)

// continuing makes the intent that goes on from p.
func (p *payer) continuing(in *paystream.Intent) {
	in.Continues = &paystream.Continuation{Hash: p.hash, Preimage: p.preimage}
}

func TestContinuation(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		p.payMsat(2, 8000) // all but the last round

		next := r.newPayer(p.continuing)
		p.sleepUntil(9*time.Minute - 16*time.Second)
		if _, err := r.Admit(t.Context(), next.intent); err != paystream.ErrNotNow {
			t.Errorf("before the last round: %v, want ErrNotNow", err)
		}
		p.sleepUntil(9*time.Minute - 15*time.Second)
		if v := next.admit(); v.Elapsed != -(time.Minute + 15*time.Second) {
			t.Errorf("elapsed %s, want it to begin when the old one ends", v.Elapsed)
		}
		if h, err := r.Authorize(t.Context(), next.hash); err != nil || h != p.handle {
			t.Errorf("CONNECT before its start counts to %q, %v; want the old one", h, err)
		}
		second := r.newPayer(p.continuing)
		if _, err := r.Admit(t.Context(), second.intent); err != paystream.ErrConflict {
			t.Errorf("a second continuation: %v, want ErrConflict", err)
		}

		p.sleepUntil(10 * time.Minute)
		p.wantServed() // the last price may come until the grace is over
		if h, _ := r.Authorize(t.Context(), next.hash); h != p.handle {
			t.Errorf("CONNECT while the old one is not paid counts to %q, want the old one", h)
		}
		p.sleepUntil(10*time.Minute + 10*time.Second)
		p.pay(10)
		p.wantCut(paystream.ReasonCompleted)
		if got := r.carrier.moved[p.handle]; got != next.handle {
			t.Errorf("connections moved to %q, want %q", got, next.handle)
		}
		if got, want := r.carrier.allowed[next.handle], int64(1<<20+2*256<<20); got != want {
			t.Errorf("the continuation may tunnel %d bytes, want %d: it counts as credited", got, want)
		}
		if h, err := r.Authorize(t.Context(), next.hash); err != nil || h != next.handle {
			t.Errorf("CONNECT after its start counts to %q, %v; want its own", h, err)
		}
		next.sleepUntil(time.Minute)
		next.wantServed()
		next.pay(2)
		next.sleepUntil(2*time.Minute + 15*time.Second)
		next.wantServed()
		next.sleepUntil(3*time.Minute + 15*time.Second)
		next.wantCut(paystream.ReasonLate)
	})
}

func TestAnUnpaidLastRoundEndsBoth(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		p.payMsat(2, 8000)
		p.sleepUntil(9*time.Minute + 30*time.Second)
		next := r.open(p.continuing)
		p.sleepUntil(10*time.Minute + 15*time.Second)
		p.wantCut(paystream.ReasonLate)
		next.wantCut(paystream.ReasonLate)
		if len(r.carrier.moved) != 0 {
			t.Errorf("connections moved: %v", r.carrier.moved)
		}
	})
}

func TestContinuationAfterThePaidEnd(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		p.payMsat(2, 10_000)
		p.sleepUntil(10*time.Minute + 5*time.Second)
		p.wantCut(paystream.ReasonCompleted)
		next := r.open(p.continuing)
		if v := next.view(); v.Elapsed != 5*time.Second {
			t.Errorf("elapsed %s, want 5s: it began when the old one ended", v.Elapsed)
		}
		p.sleepUntil(10*time.Minute + 16*time.Second)
		third := r.newPayer(p.continuing)
		if _, err := r.Admit(t.Context(), third.intent); err != paystream.ErrConflict {
			t.Errorf("a second continuation: %v, want ErrConflict", err)
		}
	})
}

func TestContinuationNeedsThePreimage(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		p.payMsat(2, 10_000)
		p.sleepUntil(9*time.Minute + 30*time.Second)
		thief := r.newPayer(func(in *paystream.Intent) {
			in.Continues = &paystream.Continuation{Hash: p.hash, Preimage: paystream.NewPreimage()}
		})
		if _, err := r.Admit(t.Context(), thief.intent); err != paystream.ErrPreimage {
			t.Errorf("a stranger's continuation: %v, want ErrPreimage", err)
		}
	})
}

func TestContinuationSurvivesARestart(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		p.payMsat(2, 10_000)
		p.sleepUntil(9*time.Minute + 30*time.Second)
		next := r.open(p.continuing)
		next.pay(2) // so that the journal knows it
		r.restart(10 * time.Second)
		p.sleepUntil(10 * time.Minute)
		synctest.Wait()
		if got := r.carrier.moved[p.handle]; got != next.handle {
			t.Errorf("connections moved to %q, want %q", got, next.handle)
		}
	})
}

// A continuation begins when its time has come, also when what it continues has ended
// before, and nobody remembers that one.
func TestAContinuationOfOneThatIsForgotten(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		p.payMsat(2, 10_000)
		p.sleepUntil(9*time.Minute + 30*time.Second)
		next := r.open(p.continuing)
		next.pay(2)
		if _, err := r.End(t.Context(), p.hash, p.preimage); err != nil {
			t.Fatal(err)
		}
		p.wantCut(paystream.ReasonClient)
		r.restart(paystream.RememberFor)
		next.wantServed()
		time.Sleep(time.Minute)
		synctest.Wait()
		next.wantCut(paystream.ReasonLate) // its rounds are long over, and two of them are paid
	})
}
