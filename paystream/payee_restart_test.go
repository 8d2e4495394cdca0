package paystream_test

import (
	"testing"
	"time"

	"github.com/el-tor/tops/paystream"
)

func TestRestartInALaterRound(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		p.sleepUntil(115 * time.Second)
		p.pay(2)
		p.sleepUntil(150 * time.Second)
		r.carrier.used[p.handle] = 4 << 20
		if err := r.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.kill()
		r.node.settle(p.note(3), 1000) // while nobody listens
		time.Sleep(20 * time.Second)
		r.carrier = newFakeCarrier()
		r.start()
		v := p.view()
		if v.Elapsed != 170*time.Second || v.BalanceMsat != 2000 || v.PaidThrough != 3 || v.Bytes != 4<<20 {
			t.Errorf("after the restart %+v, want the same pay stream with both payments", v)
		}
		p.sleepUntil(195 * time.Second)
		p.wantServed()
		p.sleepUntil(255 * time.Second)
		p.wantCut(paystream.ReasonLate)
	})
}

func TestADeadlineThatPassedWhileTheRelayWasDownMoves(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		p.sleepUntil(115 * time.Second)
		p.pay(2)
		p.sleepUntil(170 * time.Second)
		r.restart(2 * time.Minute) // the deadline of 195 s passes
		p.wantServed()
		if v := p.view(); v.LateIn != 30*time.Second {
			t.Fatalf("late in %s, want 30s from the start", v.LateIn)
		}
		p.pay(3)
		p.sleepUntil(330 * time.Second)
		p.wantCut(paystream.ReasonLate) // round 4, whose deadline passed too, was given its time as well
	})
}

func TestAnIntentThatNeverPaidIsForgotten(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		p.sleepUntil(30 * time.Second)
		r.restart(time.Second)
		if _, err := r.View(t.Context(), p.hash); err != paystream.ErrUnknown {
			t.Fatalf("View: %v, want ErrUnknown", err)
		}
		if v := p.admit(); v.Elapsed != 0 {
			t.Errorf("elapsed %s, want a new start", v.Elapsed)
		}
	})
}

func TestAClockThatWasSetBackGivesNothingAway(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		p.sleepUntil(115 * time.Second)
		p.pay(2)
		p.sleepUntil(150 * time.Second)
		if err := r.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.kill()
		r.shift = -time.Hour
		r.carrier = newFakeCarrier()
		r.start()
		if v := p.view(); v.Elapsed != 150*time.Second {
			t.Errorf("elapsed %s, want what was journalled", v.Elapsed)
		}
	})
}
