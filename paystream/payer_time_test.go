package paystream_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/el-tor/tops/paystream"
)

// A download that uses up the free bytes is paid for before they end, and so on
// with each allowance.
func TestPayerPaysEarlyWhenBytesRunOut(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.start()
		h := w.open()
		w.wait(time.Second)
		w.payer.NoteBytes(h, 400<<10)
		w.wait(time.Second)
		w.wantSent(0, 0)
		w.payer.NoteBytes(h, 600<<10)
		w.wait(time.Second)
		w.wantSent(1000, 1)
		w.payer.NoteBytes(h, 400<<20)
		w.wait(time.Second)
		w.wantSent(1000, 1)
		w.payer.NoteBytes(h, 450<<20) // of 513 MiB
		w.wait(time.Second)
		w.wantSent(2000, 2)
		w.agree()
	})
}

// Where the payee takes no connection before it is paid, it is paid at once, and nothing
// more than that.
func TestPayerPaysWhenAConnectionIsRefused(t *testing.T) {
	for _, free := range []int64{0, 1 << 20} {
		payerBubble(t, func(w *payerWorld) {
			w.relay.terms.FreeBytes = free
			w.start()
			h := w.open()
			w.wait(10 * time.Second)
			w.wantSent(0, 0)
			if st := w.status(h); time.Until(st.PayAt) < 30*time.Second {
				w.Errorf("free bytes %d, none used: it pays at %v", free, st.PayAt)
			}
			w.relay.locked(func() { w.relay.bytes = free }) // more than the payer has seen
			for range 3 {
				w.payer.NoteExhausted(h)
				w.wait(100 * time.Millisecond)
				w.wantSent(1000, 1)
			}
			if st := w.status(h); st.UsedBytes >= st.Allowance || time.Until(st.PayAt) < 30*time.Second {
				w.Errorf("paid, and then: %+v", st)
			}
			w.agree()
		})
	}
}

func TestPayerNeverPaysFurtherAheadThanTheTermsSay(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.relay.terms.Prepay = 3
		w.start()
		began := time.Now()
		h := w.open()
		w.payer.NoteBytes(h, 1<<40)
		w.at(began, 10*time.Second)
		if st := w.status(h); st.PaidThrough != 4 {
			w.Errorf("paid through %d in round 1, want 4: three from the first priced one", st.PaidThrough)
		}
		w.at(began, 4*time.Minute+10*time.Second)
		if st := w.status(h); st.PaidThrough != 7 {
			w.Errorf("paid through %d in round 5, want 7", st.PaidThrough)
		}
		w.at(began, 10*time.Minute)
		w.wantSent(10_000, 9)
		w.agree()
	})
}

// After an outage of its node the payee says that a deadline moved.
func TestPayerGoesByADeadlineThatMoved(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.node.setAway(true)
		w.start()
		began := time.Now()
		h := w.open()
		w.relay.locked(func() { w.relay.moved = began.Add(3*time.Minute - time.Second) })
		w.at(began, 2*time.Minute+20*time.Second)
		if st := w.status(h); !st.LateAt.Equal(began.Add(3*time.Minute - time.Second)) {
			w.Errorf("late at %s, want as moved, 2m59s", st.LateAt.Sub(began))
		}
		w.node.setAway(false)
		w.at(began, 3*time.Minute-2*time.Second)
		if st := w.status(h); st.PaidThrough < 2 {
			w.Errorf("not paid before the deadline as moved: %+v", st)
		}
		w.at(began, 11*time.Minute)
		w.want("COMPLETED COMPLETED")
		w.agree()
	})
}

// A machine that slept asks before it pays.
func TestPayerAsksAfterAClockJump(t *testing.T) {
	for _, tc := range []struct {
		name string
		jump time.Duration
		end  string
	}{
		{"a nap", time.Minute, "COMPLETED COMPLETED"},
		{"a night", 8 * time.Hour, "CLOSED LATE"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			payerBubble(t, func(w *payerWorld) {
				w.start()
				w.relay.clock = w.now
				h := w.open()
				w.wait(30 * time.Second)
				w.jump(tc.jump)
				w.relay.locked(func() { w.relay.start = w.relay.start.Add(-tc.jump) })
				w.wait(6 * time.Second)
				if views := w.relay.viewed(); views != 1 {
					w.Errorf("%d questions after the jump, want 1", views)
				}
				w.wait(10 * time.Minute)
				w.want(tc.end)
				if st, err := w.payer.PayStream(h); err == nil && st.PaidMsat != w.relay.received() {
					w.Errorf("%d msat paid, %d received", st.PaidMsat, w.relay.received())
				}
				w.agree()
			})
		})
	}
}

// A relay that cannot be reached when its deadline passes is given up.
func TestPayerGivesUpACircuitThatIsGone(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.start()
		w.relay.clock = w.now
		h := w.open()
		w.relay.locked(func() { w.relay.answer = func() error { return errors.New("connection reset") } })
		if err := w.payer.Resume(h, w.relay); err != nil {
			w.Fatal(err)
		}
		w.wait(3 * time.Minute)
		w.want("CLOSED CIRCUIT")
		w.wantSent(0, 0)
	})
}

// One that is paid to its end needs nobody's word for it: it ends also when its relay
// answers no more.
func TestPayerEndsAPaidOneWhoseRelayIsGone(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.start()
		began := time.Now()
		h := w.open()
		w.at(began, 9*time.Minute+55*time.Second)
		w.relay.locked(func() { w.relay.answer = func() error { return errors.New("connection reset") } })
		if err := w.payer.Move(h, "8"); err != nil { // from now on it asks first
			w.Fatal(err)
		}
		w.at(began, 10*time.Minute+14*time.Second)
		if st := w.status(h); st.Status != paystream.StatusPaid {
			w.Errorf("within the grace of its last round it is %s", st.Status)
		}
		w.at(began, 11*time.Minute)
		w.want("COMPLETED COMPLETED")
		w.wantSent(10_000, 9)
		w.agree()
	})
}

// The second pay stream is agreed on in the last round of the first, begins where
// that ends, and pays like any other.
func TestPayerContinues(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.start()
		began := time.Now()
		h := w.open()
		next := newPayerRelay(w.node, w.relay.terms)
		next.begins = began.Add(10 * time.Minute)
		w.node.locked(func() {
			w.node.credits = func(note paystream.RoundID, msat int64) {
				if time.Now().Before(next.begins) {
					w.relay.credit(note, msat)
				} else {
					next.credit(note, msat)
				}
			}
		})
		req := w.request()
		req.Link, req.Continues = next, &h
		h2, err := w.payer.Open(w.Context(), req)
		if err != nil {
			w.Fatal(err)
		}
		if at := time.Since(began); at < 8*time.Minute+45*time.Second || at > 10*time.Minute+15*time.Second {
			w.Errorf("continued at %s, want between 8m45s and 10m15s", at)
		}
		if c := next.intents[0].Continues; c == nil || c.Hash.Handle() != h || c.Preimage.Hash() != c.Hash {
			w.Errorf("the intent continues %+v", c)
		}
		if st := w.status(h2); !st.Start.Equal(next.begins) || st.Continues != h {
			w.Errorf("the second begins %s after the first, want 10m: %+v", st.Start.Sub(began), st)
		}
		w.at(began, 10*time.Minute+time.Second)
		if st := w.status(h); st.Status != paystream.StatusCompleted {
			w.Errorf("the first is %s", st.Status)
		}
		w.at(began, 20*time.Minute+time.Second)
		if st := w.status(h2); st.Status != paystream.StatusCompleted {
			w.Errorf("the second is %s", st.Status)
		}
		w.wantSent(20_000, 18)
		w.agree()
	})
}

// A pay stream whose last round is not paid takes its continuation with it.
func TestPayerContinuationOfAnUnpaidOne(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.budget = newPayerPurse(9_000)
		w.start()
		began := time.Now()
		h := w.open()
		next := newPayerRelay(w.node, w.relay.terms)
		next.begins = began.Add(10 * time.Minute)
		w.node.locked(func() { w.node.credits = w.relay.credit })
		req := w.request()
		req.Link, req.Continues = next, &h
		h2, err := w.payer.Open(w.Context(), req)
		if err != nil {
			w.Fatal(err)
		}
		w.at(began, 10*time.Minute+16*time.Second)
		if st := w.status(h2); st.Status != paystream.StatusClosed || st.Reason != paystream.ReasonBudget {
			w.Errorf("the second is %s %s, want CLOSED BUDGET", st.Status, st.Reason)
		}
		w.wantSent(8000, 8)
		w.agree()
	})
}

func TestPayerClose(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.start()
		h := w.open()
		w.wait(2 * time.Minute)
		if err := w.payer.Close(w.Context(), h, paystream.ReasonCircuit); err != nil {
			w.Fatal(err)
		}
		w.wait(time.Minute)
		w.want("CLOSED CIRCUIT")
		if !w.relay.ended {
			w.Error("the relay was not told")
		}
		if err := w.payer.Close(w.Context(), h, paystream.ReasonClient); err != nil {
			w.Errorf("closing again: %v", err)
		}
		if r := w.journal.streams[h]; r.Closed.IsZero() || r.Reason != paystream.ReasonCircuit {
			w.Errorf("in the journal: %+v", r)
		}
		w.wait(10 * time.Minute)
		if err := w.payer.Close(w.Context(), h, paystream.ReasonClient); !errors.Is(err, paystream.ErrNoPayStream) {
			w.Errorf("after it is forgotten: %v", err)
		}
		w.wantSent(1000, 1)
		w.agree()
	})
}

// Flush waits for the node, and no payment begins any more.
func TestPayerFlush(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		pay := make(chan struct{})
		w.node.slow = func() { <-pay }
		w.start()
		began := time.Now()
		w.open()
		w.at(began, 110*time.Second)
		if n := w.payer.Busy(); n != 1 {
			w.Errorf("%d payments under way, want 1", n)
		}
		done := make(chan error, 1)
		go func() { done <- w.payer.Flush(w.Context()) }()
		synctest.Wait()
		select {
		case err := <-done:
			w.Errorf("Flush did not wait: %v", err)
		default:
		}
		close(pay)
		if err := <-done; err != nil {
			w.Error(err)
		}
		w.wantSent(1000, 1)
		w.wait(2 * time.Minute)
		w.wantSent(1000, 1)
		w.agree()
		if _, err := w.payer.Open(w.Context(), w.request()); !errors.Is(err, paystream.ErrNotReady) {
			w.Errorf("Open after Flush: %v", err)
		}
	})
}
