package paystream_test

import (
	"errors"
	"testing"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
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

func TestAClockThatWasSetBackOnceGivesNothingAtTheNextRestart(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		p.sleepUntil(115 * time.Second)
		p.pay(2)
		r.shift = -time.Minute // the process sees it when it starts
		r.restart(0)
		r.restart(10 * time.Second)
		if v := p.view(); v.Elapsed != 125*time.Second {
			t.Errorf("elapsed %s, want 125s", v.Elapsed)
		}
	})
}

func TestMovedDeadlinesAndStartsAheadFollowTheClock(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		p.payMsat(2, 8000)
		p.sleepUntil(9*time.Minute + 50*time.Second)
		next := r.open(p.continuing)
		next.pay(2) // so that the journal knows it
		r.kill()
		r.shift = -time.Hour
		r.start()
		if v := next.view(); v.Elapsed != -10*time.Second {
			t.Errorf("elapsed %s after the clock was set back, want -10s", v.Elapsed)
		}

		late := r.open()
		late.pay(2)
		late.sleepUntil(170 * time.Second)
		r.restart(2 * time.Minute) // the deadline of round 3 moves
		r.kill()
		r.shift -= time.Hour
		r.start()
		if v := late.view(); v.LateIn > 30*time.Second {
			t.Errorf("late in %s after the clock was set back, want 30s", v.LateIn)
		}
	})
}

// Two rounds, the first free: one that never paid can be continued. After a
// restart its continuation is not served in its stead.
func TestAContinuationIsJournalledWithWhatItContinues(t *testing.T) {
	terms := relayTerms(func(t *policies.Terms) { t.Rounds, t.Prepay = 2, 2 })
	bubble(t, terms, func(r *relay) {
		p := r.open()
		p.sleepUntil(50 * time.Second)
		next := r.open(p.continuing)
		next.pay(2)
		r.restart(time.Second)
		p.sleepUntil(2*time.Minute + 14*time.Second)
		if _, ok := r.carrier.allowed[next.handle]; ok {
			t.Error("the continuation of one that is not paid is served")
		}
		p.sleepUntil(2*time.Minute + 15*time.Second)
		p.wantCut(paystream.ReasonLate)
		next.wantCut(paystream.ReasonLate)
	})
}

func TestTermsRetireOnce(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.newPayer()
		r.terms = relayTerms(func(t *policies.Terms) { t.RateMsat = 2000 })
		r.restart(time.Second)
		time.Sleep(2 * time.Hour)
		r.restart(time.Second)
		time.Sleep(time.Hour)
		p.payMsat(2, 1000)
		if _, err := r.Admit(t.Context(), p.intent); !errors.As(err, new(*paystream.TermsChanged)) {
			t.Errorf("three hours after the terms changed: %v, want the new ones", err)
		}
	})
}

func TestAFullDiskEndsNothing(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p, q := r.open(), r.open()
		p.pay(2)
		r.journal.Fail(errDiskFull)
		q.pay(2)
		p.sleepUntil(2*time.Minute + 20*time.Second)
		q.wantServed() // its money waits
		r.journal.Fail(nil)
		p.sleepUntil(2*time.Minute + 40*time.Second)
		if v := q.view(); v.PaidThrough != 2 {
			t.Errorf("paid through %d once the disk has room, want 2", v.PaidThrough)
		}
		r.journal.Fail(errDiskFull)
		p.sleepUntil(3*time.Minute + 15*time.Second)
		p.wantCut(paystream.ReasonLate)
		r.journal.Fail(nil)
		p.sleepUntil(3*time.Minute + 20*time.Second)
		r.restart(0)
		if _, err := r.Authorize(t.Context(), p.hash); !errors.As(err, new(*paystream.Demand)) {
			t.Errorf("after the restart: %v, want it over", err)
		}
		if len(r.errors) != 1 {
			t.Errorf("told of %v, want the full disk once", r.errors)
		}
	})
}

// The answer to a commit is lost, and the commit is durable at once or a little
// later: what was paid is credited, once, and nobody is cut for it.
func TestACommitWithoutAnAnswer(t *testing.T) {
	for name, late := range map[string]bool{"durable": false, "durable later": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, relayTerms(), func(r *relay) {
				books := &lossyBooks{Journal: r.journal}
				r.kill()
				r.books = books
				r.start()
				p := r.open()
				books.set(1, late)
				p.pay(2)
				p.sleepUntil(5 * time.Second)
				if v := p.view(); v.BalanceMsat != 1000 || r.booked(p.handle, paystream.BookedCredit) != 1000 {
					t.Errorf("balance %d msat, booked %d, want 1000", v.BalanceMsat, r.booked(p.handle, paystream.BookedCredit))
				}

				// Money that came before its intent: the intent is given up, and comes again.
				q := r.newPayer()
				q.payMsat(2, 1000)
				books.set(1, late)
				if _, err := r.Admit(t.Context(), q.intent); !errors.As(err, new(*paystream.Busy)) {
					t.Errorf("an intent whose commit failed: %v, want Busy", err)
				}
				time.Sleep(time.Second)
				if v := q.admit(); v.BalanceMsat != 1000 {
					t.Errorf("balance %d msat, want 1000", v.BalanceMsat)
				}
				p.sleepUntil(2*time.Minute + 20*time.Second)
				p.wantServed()
				if v := q.view(); v.DueMsat == 0 {
					t.Errorf("%+v, want it to live", v)
				}
				r.restart(0)
				if v, w := p.view(), q.view(); v.BalanceMsat != 1000 || w.BalanceMsat != 1000 {
					t.Errorf("after a restart %d and %d msat, want 1000 each", v.BalanceMsat, w.BalanceMsat)
				}
			})
		})
	}
}
