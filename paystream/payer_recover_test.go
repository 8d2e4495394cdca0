package paystream_test

import (
	"errors"
	"testing"
	"time"

	"github.com/el-tor/tops/paystream"
)

// A restart between two rounds: the pay stream goes on.
func TestPayerRestart(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.start()
		began := time.Now()
		h := w.open()
		w.at(began, 3*time.Minute)
		w.stop()
		live := w.start()
		if len(live) != 1 || live[0].Handle != h || live[0].PaidMsat != 2000 || live[0].PaidThrough != 3 || live[0].Circuit != "7" {
			w.Fatalf("recovered %+v", live)
		}
		if !live[0].Start.Equal(began) {
			w.Errorf("recovered with start %s, want %s", live[0].Start, began)
		}
		w.at(began, 3*time.Minute+30*time.Second)
		views := w.relay.viewed()
		if err := w.payer.Resume(h, w.relay); err != nil {
			w.Fatal(err)
		}
		w.wait(0)
		if w.relay.viewed() != views+1 {
			w.Error("the relay was not asked after the restart")
		}
		w.at(began, 11*time.Minute)
		w.want("COMPLETED COMPLETED")
		w.wantSent(10_000, 9)
		w.agree()
	})
}

// Without its circuit nothing is paid for it.
func TestPayerRestartWithoutCircuit(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.start()
		h := w.open()
		w.wait(time.Minute)
		w.stop()
		w.start()
		w.wait(3 * time.Minute)
		w.wantSent(0, 0)
		if err := w.payer.Close(w.Context(), h, paystream.ReasonCircuit); err != nil {
			w.Fatal(err)
		}
		w.stop()
		if live := w.start(); len(live) != 0 {
			w.Errorf("recovered %+v after it was closed", live)
		}
	})
}

// What was on its way is looked up after a restart, also when its pay stream was
// closed, and counts against the budget meanwhile.
func TestPayerRestartWithMoneyOnItsWay(t *testing.T) {
	for _, closed := range []bool{false, true} {
		payerBubble(t, func(w *payerWorld) {
			w.node.onPay = becomes(paystream.ErrHeld)
			w.start()
			began := time.Now()
			h := w.open()
			w.at(began, 2*time.Minute)
			if closed {
				if err := w.payer.Close(w.Context(), h, paystream.ReasonClient); err != nil {
					w.Fatal(err)
				}
			}
			w.stop()
			w.budget = newPayerPurse(1_000_000)
			live := w.start()
			if closed != (len(live) == 0) {
				w.Errorf("closed %v: recovered %+v", closed, live)
			}
			if held, _ := w.budget.totals(); held != 1100 {
				w.Errorf("closed %v: the budget holds %d msat, want 1100", closed, held)
			}
			w.node.decide(paystream.PaymentComplete)
			w.wait(time.Minute)
			w.wantSent(1000, 1)
			w.agree()
		})
	}
}

// What was decided before a restart holds after it.
func TestPayerRestartKeepsItsMind(t *testing.T) {
	t.Run("leaving", func(t *testing.T) {
		payerBubble(t, func(w *payerWorld) {
			w.service = worthFunc(func() bool { return false })
			w.start()
			began := time.Now()
			h := w.open()
			w.at(began, 2*time.Minute)
			w.want("DUE QUALITY")
			w.stop()
			w.service = nil
			w.start()
			if err := w.payer.Resume(h, w.relay); err != nil {
				w.Fatal(err)
			}
			w.at(began, 3*time.Minute)
			w.want("CLOSED QUALITY")
			w.wantSent(0, 0)
		})
	})
	t.Run("the controller pays", func(t *testing.T) {
		payerBubble(t, func(w *payerWorld) {
			w.start()
			req := w.request()
			req.NoPay = true
			h, err := w.payer.Open(w.Context(), req)
			if err != nil {
				w.Fatal(err)
			}
			w.stop()
			w.start()
			if err := w.payer.SetLink(h, w.relay); err != nil {
				w.Fatal(err)
			}
			w.wait(3 * time.Minute)
			w.want("CLOSED LATE")
			w.wantSent(0, 0)
		})
	})
}

// An opening fee that was paid before a restart is not paid again after it.
func TestPayerRestartWhileOpening(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.relay.terms.FeeMsat = 500
		w.relay.demand, w.relay.fee = &paystream.Demand{DueMsat: 500}, 500
		var lost int64
		w.node.credits = func(_ paystream.RoundID, msat int64) { lost += msat } // the relay's node is slow
		w.start()
		opened := make(chan error, 1)
		go func() {
			_, err := w.payer.Open(w.Context(), w.request())
			opened <- err
		}()
		w.wait(10 * time.Second)
		w.wantSent(500, 1)
		w.stop()
		if err := <-opened; !errors.Is(err, paystream.ErrNotReady) {
			w.Errorf("Open returned %v when the payer ended", err)
		}
		spent := w.budget
		live := w.start()
		if len(live) != 1 || live[0].Status != paystream.StatusIntent {
			w.Fatalf("recovered %+v", live)
		}
		if err := w.payer.Resume(live[0].Handle, w.relay); err != nil {
			w.Fatal(err)
		}
		w.wait(10 * time.Second)
		intent := w.relay.intents[0]
		w.relay.credit(intent.Hash.RoundID(intent.TermsHash, 0), lost)
		w.wait(10 * time.Second)
		if st := w.status(live[0].Handle); st.Status != paystream.StatusFree || st.PaidMsat != 500 {
			w.Errorf("after the relay heard of it: %+v", st)
		}
		w.wantSent(500, 1)
		w.budget = spent
		if err := w.payer.Close(w.Context(), live[0].Handle, paystream.ReasonClient); err != nil {
			w.Fatal(err)
		}
	})
}
