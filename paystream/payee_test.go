package paystream_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
	"github.com/google/go-cmp/cmp"
)

func TestTenRounds(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		for round := 2; round <= 10; round++ {
			p.sleepUntil(r.terms.Due(round) - 5*time.Second)
			if v := p.view(); v.Round != round || v.DueIn != 5*time.Second || v.LateIn != 20*time.Second {
				t.Fatalf("round %d: view %+v", round, v)
			}
			p.pay(round)
			if v := p.view(); v.PaidThrough != round {
				t.Fatalf("round %d was paid, the view says through %d", round, v.PaidThrough)
			}
		}
		p.wantServed()
		p.sleepUntil(r.terms.Duration())
		p.wantCut(paystream.ReasonCompleted)
		v := p.view()
		if v.BalanceMsat != 10_000 || v.DueMsat != 0 {
			t.Errorf("at the end %+v, want 10000 msat and nothing due", v)
		}
		var got []paystream.Status
		for _, e := range r.events {
			got = append(got, e.Status)
		}
		want := []paystream.Status{"INTENT", "FREE"}
		for range 9 {
			want = append(want, "DUE", "PAID")
		}
		if diff := cmp.Diff(append(want, "COMPLETED"), got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestUnpaidIsCutAtTheDeadline(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		p.sleepUntil(2*time.Minute + 15*time.Second - time.Nanosecond)
		p.wantServed()
		p.sleepUntil(2*time.Minute + 15*time.Second)
		p.wantCut(paystream.ReasonLate)

		var d *paystream.Demand
		if _, err := r.Authorize(t.Context(), p.hash); !errors.As(err, &d) || d.DueMsat != 0 || d.Reason != paystream.ReasonLate {
			t.Errorf("CONNECT afterwards: %v, want a demand of 0 for %s", err, paystream.ReasonLate)
		}
		if _, err := r.Admit(t.Context(), p.intent); err != paystream.ErrRetired {
			t.Errorf("the intent again: %v, want ErrRetired", err)
		}
		p.payMsat(2, 1000)
		if got := r.booked(p.handle, paystream.BookedLate); got != 1000 {
			t.Errorf("%d msat booked late, want 1000", got)
		}
		time.Sleep(paystream.RememberFor)
		synctest.Wait()
		if _, err := r.Authorize(t.Context(), p.hash); err != paystream.ErrUnknown {
			t.Errorf("after %s: %v, want ErrUnknown", paystream.RememberFor, err)
		}
	})
}

func TestOnePaymentSettlesSeveralRounds(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		p.payMsat(2, 3000)
		if v := p.view(); v.PaidThrough != 4 {
			t.Fatalf("3000 msat cover rounds through %d, want 4", v.PaidThrough)
		}
		p.payMsat(7, 999) // whatever k is, and however little
		p.payMsat(7, 1)   // a note may repeat
		if v := p.view(); v.PaidThrough != 5 || v.BalanceMsat != 4000 {
			t.Fatalf("view %+v, want 4000 msat through round 5", v)
		}
		p.sleepUntil(6*time.Minute + 15*time.Second)
		p.wantCut(paystream.ReasonLate)
	})
}

func TestMoneyThatCameWhileTheNodeWasSilentCounts(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		p.sleepUntil(110 * time.Second)
		r.node.setAway(true)
		p.pay(2) // in time, but the relay cannot know
		p.sleepUntil(5 * time.Minute)
		p.wantServed()
		r.node.setAway(false)
		p.sleepUntil(5*time.Minute + 10*time.Second)
		p.wantServed()
		if v := p.view(); v.PaidThrough != 2 {
			t.Errorf("paid through %d after the outage, want 2", v.PaidThrough)
		}
	})
}

func TestDeadlinesOfAnOutageMoveOnce(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		p.sleepUntil(130 * time.Second)
		r.node.setAway(true)
		p.sleepUntil(200 * time.Second) // the deadline of 135 s passed unseen
		p.wantServed()
		r.node.setAway(false)
		p.sleepUntil(206 * time.Second)
		v := p.view()
		moved := time.Since(p.start) + v.LateIn
		if moved < 230*time.Second || moved > 236*time.Second {
			t.Fatalf("the deadline moved to %s, want 30 s after the node came back", moved)
		}
		p.sleepUntil(moved - time.Millisecond)
		p.wantServed()
		p.sleepUntil(moved)
		p.wantCut(paystream.ReasonLate)
	})
}

// Rounds of 10 s are shorter than the 30 s that an outage gives: the rounds after the
// one whose deadline moved are not late before it.
func TestAMovedDeadlineTakesAlongTheNextOnes(t *testing.T) {
	bubble(t, relayTerms(func(t *policies.Terms) { t.Interval, t.Grace = 10*time.Second, 5*time.Second }), func(r *relay) {
		p := r.open()
		p.sleepUntil(22 * time.Second)
		r.node.setAway(true)
		p.sleepUntil(32 * time.Second) // the deadline of round 2 passes at 25 s
		r.node.setAway(false)
		p.sleepUntil(34 * time.Second)
		moved := time.Since(p.start) + p.view().LateIn
		if moved < 62*time.Second || moved > 64*time.Second {
			t.Fatalf("the deadline moved to %s, want 30 s after the node came back", moved)
		}
		p.sleepUntil(50 * time.Second) // those of rounds 3 and 4 have passed by now
		p.pay(2)
		p.wantServed()
		if late := time.Since(p.start) + p.view().LateIn; late != moved {
			t.Errorf("round 3 is late at %s, want %s as round 2", late, moved)
		}
		p.payMsat(3, 3000) // 3, 4 and 5
		p.sleepUntil(moved)
		p.wantServed()
		p.sleepUntil(65 * time.Second)
		p.wantCut(paystream.ReasonLate) // round 6, whose own deadline is the later one
	})
}

func TestTheRoutineCheckMovesNothing(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		p.sleepUntil(134 * time.Second)
		r.node.setAway(true)
		p.sleepUntil(136 * time.Second) // silent for less than an outage
		r.node.setAway(false)
		p.sleepUntil(141 * time.Second)
		p.wantCut(paystream.ReasonLate)
	})
}

func TestALongOutagePausesTheGateway(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		r.node.setAway(true)
		p.sleepUntil(9 * time.Minute)
		if r.carrier.paused {
			t.Fatal("paused before outage_grace")
		}
		if _, err := r.Admit(t.Context(), r.newPayer().intent); !errors.As(err, new(*paystream.Busy)) {
			t.Errorf("a new intent during an outage: %v, want Busy", err)
		}
		p.sleepUntil(11 * time.Minute)
		if !r.carrier.paused {
			t.Fatal("not paused after outage_grace")
		}
		if _, err := r.Authorize(t.Context(), p.hash); !errors.As(err, new(*paystream.Busy)) {
			t.Errorf("CONNECT while paused: %v, want Busy", err)
		}
		r.node.setAway(false)
		p.sleepUntil(11*time.Minute + 10*time.Second)
		if r.carrier.paused {
			t.Error("still paused after the node came back")
		}
		p.wantServed()
	})
}

func TestAllowanceFollowsTheBalance(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		allowed := func() int64 {
			synctest.Wait()
			r.carrier.mu.Lock()
			defer r.carrier.mu.Unlock()
			return r.carrier.allowed[p.handle]
		}
		if got := allowed(); got != 1<<20 {
			t.Errorf("free bytes %d, want %d", got, 1<<20)
		}
		r.carrier.used[p.handle] = 1 << 20
		var d *paystream.Demand
		if _, err := r.Authorize(t.Context(), p.hash); !errors.As(err, &d) || d.DueMsat != 1000 || d.Note != p.note(2) {
			t.Errorf("CONNECT at the limit: %v, want a demand of 1000 msat for round 2", err)
		}
		p.pay(2)
		if got, want := allowed(), int64(1<<20+2*256<<20); got != want {
			t.Errorf("after round 2: %d bytes, want %d", got, want)
		}
		if _, err := r.Authorize(t.Context(), p.hash); err != nil {
			t.Errorf("CONNECT after paying: %v", err)
		}
	})
}

func TestTheSameIntentAgainIsTheSamePayStream(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		p.sleepUntil(40 * time.Second)
		if v := p.admit(); v.Elapsed != 40*time.Second {
			t.Errorf("elapsed %s at the second POST, want 40s", v.Elapsed)
		}
		other := p.intent
		other.TermsHash[0]++
		if _, err := r.Admit(t.Context(), other); err != paystream.ErrConflict {
			t.Errorf("the hash under other terms: %v, want ErrConflict", err)
		}
		thief := r.newPayer(func(in *paystream.Intent) {
			for round := 1; round <= 10; round++ {
				in.RoundIDs = append(in.RoundIDs, p.note(round))
			}
		})
		if _, err := r.Admit(t.Context(), thief.intent); err != paystream.ErrConflict {
			t.Errorf("somebody else's ids: %v, want ErrConflict", err)
		}
	})
}

func TestBroughtRoundIDs(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		ids := paystream.RoundIDs(paystream.NewPreimage().Hash(), r.terms)[1:]
		p := r.open(func(in *paystream.Intent) { in.RoundIDs = ids })
		r.node.settle(ids[1], 1000)
		synctest.Wait()
		if v := p.view(); v.PaidThrough != 2 {
			t.Errorf("paid through %d, want 2", v.PaidThrough)
		}
		bad := r.newPayer(func(in *paystream.Intent) { in.RoundIDs = ids[:3] })
		if _, err := r.Admit(t.Context(), bad.intent); !errors.Is(err, paystream.ErrMalformed) {
			t.Errorf("three ids for ten rounds: %v, want ErrMalformed", err)
		}
	})
}

func TestOpeningFee(t *testing.T) {
	terms := relayTerms(func(t *policies.Terms) { t.FeeMsat = 5000 })
	bubble(t, terms, func(r *relay) {
		r.opening = func(paystream.Load) paystream.Opening { return paystream.OpenFee }
		p := r.newPayer()
		var d *paystream.Demand
		if _, err := r.Admit(t.Context(), p.intent); !errors.As(err, &d) || d.DueMsat != 5000 || d.Note != p.note(0) {
			t.Fatalf("Admit: %v, want a demand of 5000 msat under id(0)", err)
		}
		p.payMsat(0, 5000) // before there is any state for it
		r.restart(time.Minute)
		r.opening = func(paystream.Load) paystream.Opening { return paystream.OpenAhead } // and the ladder has moved
		if v := p.admit(); v.FeeMsat != 5000 || v.BalanceMsat != 5000 || v.PaidThrough != 1 {
			t.Errorf("view %+v, want the fee owed and covered, and nothing else", v)
		}
		q := r.newPayer()
		if _, err := r.Admit(t.Context(), q.intent); !errors.As(err, &d) || d.DueMsat != 1000 || d.Note != q.note(2) {
			t.Fatalf("Admit: %v, want the first priced round ahead", err)
		}
		q.payMsat(2, 1000)
		if v := q.admit(); v.FeeMsat != 0 || v.PaidThrough != 2 {
			t.Errorf("view %+v, want no fee and round 2 paid", v)
		}
	})
}

func TestRetiredTermsAreHonoured(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		early, paid, late := r.open(), r.newPayer(), r.newPayer()
		paid.payMsat(2, 1000)
		dearer := relayTerms(func(t *policies.Terms) { t.RateMsat = 2000 })
		if err := r.SetTerms(t.Context(), dearer); err != nil {
			t.Fatal(err)
		}
		var changed *paystream.TermsChanged
		if _, err := r.Admit(t.Context(), late.intent); !errors.As(err, &changed) || changed.Terms != dearer {
			t.Errorf("old terms from a stranger: %v, want the new terms", err)
		}
		early.admit()
		paid.admit()
		if v := early.view(); v.DueMsat != 1000 {
			t.Errorf("%d msat due under the terms that it began with, want 1000", v.DueMsat)
		}
		time.Sleep(paystream.RememberFor)
		third := r.newPayer()
		if _, err := r.Admit(t.Context(), third.intent); !errors.As(err, &changed) {
			t.Errorf("after %s: %v, want the new terms", paystream.RememberFor, err)
		}
	})
}

func TestPlainInvoices(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		first, err := r.Invoice(t.Context(), p.hash, 2, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := r.Invoice(t.Context(), p.hash, 2, 1000); err != nil || again != first {
			t.Errorf("the same again: %q, %v; want %q", again, err, first)
		}
		other, err := r.Invoice(t.Context(), p.hash, 2, 2000)
		if err != nil || other == first {
			t.Errorf("another amount: %q, %v; want another invoice", other, err)
		}
		if len(r.node.labels) != 1 {
			t.Errorf("%d unpaid invoices, want one: %v", len(r.node.labels), r.node.labels)
		}
		for _, bad := range []struct {
			round  int
			amount int64
		}{{-1, 1000}, {11, 1000}, {2, 0}, {2, 10_001}} {
			if _, err := r.Invoice(t.Context(), p.hash, bad.round, bad.amount); !errors.Is(err, paystream.ErrMalformed) {
				t.Errorf("round %d, %d msat: %v, want ErrMalformed", bad.round, bad.amount, err)
			}
		}
	})
}

// Whoever has paid nothing cannot keep the node busy with invoices by asking for two
// rounds in turns.
func TestPlainInvoicesHaveAnEnd(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		var err error
		for i := range 1000 {
			if _, no := r.Invoice(t.Context(), p.hash, 2+i%2, 1000); no != nil {
				err = no
			}
		}
		var busy *paystream.Busy
		if !errors.As(err, &busy) || !busy.TooMany {
			t.Errorf("after a thousand: %v, want that it is too often", err)
		}
		if r.node.made > 2*16 || len(r.node.labels) > 1 {
			t.Errorf("%d invoices were made, of which %d wait; want 16 for a round, and one", r.node.made, len(r.node.labels))
		}
		if _, err := r.Invoice(t.Context(), p.hash, 4, 1000); err != nil {
			t.Errorf("another round: %v", err)
		}
	})
}

func TestOnlyThePayerEndsAPayStream(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		if _, err := r.End(t.Context(), p.hash, paystream.NewPreimage()); err != paystream.ErrPreimage {
			t.Errorf("End with a stranger's preimage: %v, want ErrPreimage", err)
		}
		p.wantServed()
		if _, err := r.End(t.Context(), p.hash, p.preimage); err != nil {
			t.Fatal(err)
		}
		p.wantCut(paystream.ReasonClient)
		if _, err := r.End(t.Context(), p.hash, p.preimage); err != nil {
			t.Errorf("End again: %v", err)
		}
	})
}
