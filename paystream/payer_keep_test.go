package paystream_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/el-tor/tops/paystream"
)

// keeping has an opening fee paid that the relay does not hear of, and the pay stream
// put aside; hear lets the relay have the money.
func keeping(w *payerWorld) (h paystream.Handle, hear func()) {
	w.Helper()
	w.relay.terms.FeeMsat = 500
	w.relay.demand, w.relay.fee = &paystream.Demand{DueMsat: 500}, 500
	credit := w.node.credits
	hear = func() {}
	w.node.credits = func(note paystream.RoundID, msat int64) { hear = func() { credit(note, msat) } }
	w.start()
	ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
	defer cancel()
	req := w.request()
	req.Keep = true
	if _, err := w.payer.Open(ctx, req); !errors.Is(err, context.DeadlineExceeded) {
		w.Fatalf("Open: %v", err)
	}
	all := w.payer.PayStreams()
	if len(all) != 1 || all[0].Status != paystream.StatusIntent || all[0].PaidMsat != 500 || all[0].Circuit != "" {
		w.Fatalf("kept: %+v", all)
	}
	w.node.credits = credit
	return all[0].Handle, hear
}

// What was paid for an opening that came to nothing opens the next pay stream, after a
// restart too, and once.
func TestPayerKeepsAnOpening(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		h, hear := keeping(w)
		w.stop()
		if live := w.start(); len(live) != 1 || !w.payer.Keep(h) {
			w.Fatalf("after the restart: %+v", live)
		}
		other := w.relay.terms
		other.RateMsat++
		if _, ok := w.payer.Take(other, "uid:1000"); ok {
			w.Error("it was given out for other terms")
		}
		if _, ok := w.payer.Take(w.relay.terms, "uid:1001"); ok {
			w.Error("it was given to another controller")
		}
		k, ok := w.payer.Take(w.relay.terms, "uid:1000")
		if _, twice := w.payer.Take(w.relay.terms, "uid:1000"); !ok || twice || k.Preimage.Hash().Handle() != h {
			w.Fatalf("taken: %t, and a second time: %t", ok, twice)
		}
		hear()
		req := w.request()
		req.Keep, req.Preimage, req.RoundIDs, req.Circuit = true, &k.Preimage, k.RoundIDs, "8"
		if got, err := w.payer.Open(w.Context(), req); err != nil || got != h {
			w.Fatalf("opened %s, %v", got, err)
		}
		synctest.Wait()
		w.wantSent(500, 1)
		if st := w.status(h); st.Circuit != "8" || w.payer.Keep(h) {
			w.Errorf("opened again: %+v", st)
		}
		w.wait(11 * time.Minute)
		w.want("COMPLETED COMPLETED")
		w.wantSent(10_500, 10)
		w.agree()
	})
}

// What is kept for too long is spent on nothing, and the books say so.
func TestPayerKeepsAnOpeningInVain(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		h, _ := keeping(w)
		w.wait(paystream.KeepFor - time.Minute)
		if st := w.status(h); st.Status != paystream.StatusIntent {
			w.Errorf("before its time: %+v", st)
		}
		w.wait(time.Minute)
		if _, ok := w.payer.Take(w.relay.terms, "uid:1000"); ok {
			w.Error("it was given out after its time")
		}
		if st := w.status(h); st.Status != paystream.StatusClosed || st.Reason != paystream.ReasonUnused || st.PaidMsat != 500 {
			w.Errorf("after its time: %+v", st)
		}
		w.want("CLOSED UNUSED")
		w.wantSent(500, 1)
		w.agree()
	})
}

// Nothing was paid: there is nothing to be kept.
func TestPayerKeepsNothing(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.relay.answer = func() error { return errors.New("no way to it") }
		w.start()
		ctx, cancel := context.WithTimeout(w.Context(), 3*time.Second)
		defer cancel()
		req := w.request()
		req.Keep = true
		if _, err := w.payer.Open(ctx, req); !errors.Is(err, context.DeadlineExceeded) {
			w.Fatalf("Open: %v", err)
		}
		w.want("CLOSED CLIENT")
		w.agree()
	})
}

// A relay that takes its time does not keep a record from the journal.
func TestPayerSavesWhileItOpens(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		answer := make(chan struct{})
		w.relay.answer = func() error { <-answer; return nil }
		w.start()
		opened := make(chan error)
		go func() { _, err := w.payer.Open(w.Context(), w.request()); opened <- err }()
		synctest.Wait()
		h := w.payer.PayStreams()[0].Handle
		circuit := func() string {
			known, err := w.journal.LoadPayer(w.Context())
			if err != nil || len(known.Streams) != 1 {
				w.Fatalf("%+v, %v", known, err)
			}
			return known.Streams[0].Circuit
		}
		if err := errors.Join(w.payer.Move(h, "8"), w.payer.Save(w.Context(), h)); err != nil || circuit() != "8" {
			w.Errorf("circuit %q, %v", circuit(), err)
		}
		w.journal.breakDown(func(paystream.PaymentStep) bool { return true })
		if err := errors.Join(w.payer.Move(h, "9"), w.payer.Save(w.Context(), h)); !errors.Is(err, errPayerDisk) {
			w.Errorf("a full disk: %v", err)
		}
		if err := w.payer.Save(w.Context(), "x"); !errors.Is(err, paystream.ErrNoPayStream) {
			w.Errorf("no pay stream: %v", err)
		}
		w.journal.breakDown(nil)
		close(answer)
		if err := <-opened; err != nil {
			w.Error(err)
		}
		if synctest.Wait(); circuit() != "9" {
			w.Errorf("in the end: %q", circuit())
		}
	})
}
