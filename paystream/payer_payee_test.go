package paystream_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal"
	"github.com/el-tor/tops/policies"
)

// payeeLink leads a payer to a real payee, so long away.
type payeeLink struct {
	r     *relay
	delay time.Duration // of each way
	gone  atomic.Bool
}

// restart kills the payee and starts it again after a while.
func (l *payeeLink) restart(absence time.Duration) {
	l.gone.Store(true)
	time.Sleep(2 * l.delay)
	synctest.Wait()
	l.r.restart(absence)
	l.gone.Store(false)
}

func (l *payeeLink) answer(ask func() (paystream.View, error)) (paystream.Answer, error) {
	asked := time.Now()
	time.Sleep(l.delay)
	if l.gone.Load() {
		return paystream.Answer{}, errors.New("the circuit is gone")
	}
	v, err := ask()
	time.Sleep(l.delay)
	return paystream.Answer{View: v, Asked: asked}, err
}

func (l *payeeLink) Open(ctx context.Context, in paystream.Intent) (paystream.Answer, error) {
	return l.answer(func() (paystream.View, error) { return l.r.Admit(ctx, in) })
}

func (l *payeeLink) View(ctx context.Context, h paystream.PaymentIDHash) (paystream.Answer, error) {
	return l.answer(func() (paystream.View, error) { return l.r.View(ctx, h) })
}

func (l *payeeLink) End(ctx context.Context, h paystream.PaymentIDHash, p paystream.Preimage) (paystream.Answer, error) {
	return l.answer(func() (paystream.View, error) { return l.r.End(ctx, h, p) })
}

func (l *payeeLink) Invoice(ctx context.Context, h paystream.PaymentIDHash, round int, msat int64) (string, error) {
	return l.r.Invoice(ctx, h, round, msat)
}

// bothEnds runs a payer against a payee.
func bothEnds(t *testing.T, terms policies.Terms, f func(w *payerWorld, r *relay, link *payeeLink)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &relay{t: t, terms: terms, node: newFakeNode(), carrier: newFakeCarrier(), journal: memjournal.New()}
		r.start()
		w := newPayerWorld(t)
		w.relay.terms = terms
		w.node.credits = func(note paystream.RoundID, msat int64) { r.node.settle(note, msat) }
		w.start()
		f(w, r, &payeeLink{r: r, delay: 400 * time.Millisecond})
		w.stop()
		r.kill()
		w.agree()
	})
}

func (w *payerWorld) openWith(link paystream.Link) paystream.Handle {
	w.Helper()
	req := w.request()
	req.Link = link
	h, err := w.payer.Open(w.Context(), req)
	if err != nil {
		w.Fatal(err)
	}
	synctest.Wait()
	return h
}

func (w *payerWorld) wantPayee(r *relay, h paystream.Handle, status paystream.Status, msat int64) {
	w.Helper()
	if st := r.PayStreams()[h]; st.Status != status || st.BalanceMsat != msat {
		w.Errorf("the payee has it %s with %d msat, want %s with %d", st.Status, st.BalanceMsat, status, msat)
	}
}

func TestBothEndsTenRounds(t *testing.T) {
	for _, interval := range []time.Duration{time.Second, 2 * time.Second, time.Minute} {
		terms := relayTerms(func(t *policies.Terms) {
			t.Interval, t.Grace = interval, min(interval, t.Grace)
		})
		bothEnds(t, terms, func(w *payerWorld, r *relay, link *payeeLink) {
			link.delay = 100 * time.Millisecond
			h := w.openWith(link)
			w.wait(10*interval + time.Second)
			w.want("COMPLETED COMPLETED")
			w.wantPayee(r, h, paystream.StatusCompleted, 10_000)
			w.wantSent(10_000, 9)
		})
	}
}

func TestBothEndsContinue(t *testing.T) {
	bothEnds(t, relayTerms(), func(w *payerWorld, r *relay, link *payeeLink) {
		began := time.Now()
		h := w.openWith(link)
		for n := 1; n <= 3; n++ {
			req := w.request()
			req.Link, req.Continues = link, &h
			next, err := w.payer.Open(w.Context(), req)
			if err != nil {
				w.Fatal(err)
			}
			w.at(began, time.Duration(n)*10*time.Minute+5*time.Second)
			w.wantPayee(r, h, paystream.StatusCompleted, 10_000)
			w.wantPayee(r, next, paystream.StatusFree, 0)
			if got := r.carrier.moved[h]; got != next {
				w.Errorf("the connections went to %q, want %q", got, next)
			}
			h = next
		}
		w.at(began, 40*time.Minute+5*time.Second)
		w.wantPayee(r, h, paystream.StatusCompleted, 10_000)
		w.wantSent(40_000, 36)
	})
}

func TestBothEndsOpeningDemands(t *testing.T) {
	for _, o := range []paystream.Opening{paystream.OpenFee, paystream.OpenAhead} {
		terms := relayTerms(func(t *policies.Terms) { t.FeeMsat = 300 })
		bothEnds(t, terms, func(w *payerWorld, r *relay, link *payeeLink) {
			r.opening = func(paystream.Load) paystream.Opening { return o }
			h := w.openWith(link)
			want := int64(1000)
			if o == paystream.OpenFee {
				want = 300
			}
			w.wantSent(want, 1)
			w.wait(10*time.Minute + time.Second)
			want = 10_000
			if o == paystream.OpenFee {
				want = 10_300
			}
			w.want("COMPLETED COMPLETED")
			w.wantPayee(r, h, paystream.StatusCompleted, want)
		})
	}
}

func TestBothEndsAPayerThatStopsIsCut(t *testing.T) {
	bothEnds(t, relayTerms(), func(w *payerWorld, r *relay, link *payeeLink) {
		w.service = worthFunc(func() bool { return false })
		w.stop()
		w.start()
		h := w.openWith(link)
		w.wait(2*time.Minute + 20*time.Second)
		w.want("DUE QUALITY")
		w.want("CLOSED QUALITY")
		if reason, cut := r.carrier.stopReason(h); !cut || reason != paystream.ReasonLate {
			w.Errorf("cut %v with %s", cut, reason)
		}
	})
}

// The payee is killed in round 1, where it keeps nothing of an unpaid intent, and
// in round 4, where it remembers everything.
func TestBothEndsPayeeRestart(t *testing.T) {
	bothEnds(t, relayTerms(), func(w *payerWorld, r *relay, link *payeeLink) {
		h := w.openWith(link)
		w.wait(30 * time.Second)
		link.restart(5 * time.Second)
		w.wait(5 * time.Minute)
		if st := r.PayStreams()[h]; st.BalanceMsat < 1000 || st.Round < 3 {
			w.Fatalf("in round %d the payee has %d msat", st.Round, st.BalanceMsat)
		}
		link.restart(5 * time.Second)
		w.wait(10 * time.Minute)
		w.want("COMPLETED COMPLETED")
		w.wantPayee(r, h, paystream.StatusCompleted, 10_000)
		w.wantSent(10_000, 9)
	})
}

// The payee's node is away over a deadline: the payer waits for the deadline as
// moved, and nobody is cut.
func TestBothEndsPayeeNodeAway(t *testing.T) {
	bothEnds(t, relayTerms(), func(w *payerWorld, r *relay, link *payeeLink) {
		h := w.openWith(link)
		w.wait(95 * time.Second)
		r.node.setAway(true)
		w.node.setAway(true) // nothing can be paid meanwhile
		w.wait(60 * time.Second)
		if reason, cut := r.carrier.stopReason(h); cut {
			w.Fatalf("cut while its node was away: %s", reason)
		}
		r.node.setAway(false)
		w.node.setAway(false)
		w.wait(15 * time.Minute)
		w.want("COMPLETED COMPLETED")
		w.wantPayee(r, h, paystream.StatusCompleted, 10_000)
	})
}

func TestBothEndsClose(t *testing.T) {
	bothEnds(t, relayTerms(), func(w *payerWorld, r *relay, link *payeeLink) {
		h := w.openWith(link)
		w.wait(2 * time.Minute)
		if err := w.payer.Close(w.Context(), h, paystream.ReasonClient); err != nil {
			w.Fatal(err)
		}
		synctest.Wait()
		w.wantPayee(r, h, paystream.StatusClosed, 1000)
	})
}

// The payee is killed while the first payment, of all rounds, is on its way: it
// is told of the intent again and finds the money.
func TestBothEndsPayeeRestartAtTheFirstPayment(t *testing.T) {
	bothEnds(t, relayTerms(func(t *policies.Terms) { t.Grace = time.Minute }), func(w *payerWorld, r *relay, link *payeeLink) {
		w.node.fee = 1000
		began := time.Now()
		tries := 0
		w.node.slow = func() {
			if tries++; tries == 2 { // the first, of one round, costs too much
				link.restart(5 * time.Second)
			}
		}
		h := w.openWith(link)
		w.at(began, 4*time.Minute)
		w.wantSent(11_000, 1)
		w.wantPayee(r, h, paystream.StatusPaid, 10_000)
		w.wait(9 * time.Minute)
		w.want("COMPLETED COMPLETED")
	})
}
