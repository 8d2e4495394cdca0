package paystream_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

func TestPayerMeetsTheOpeningDemand(t *testing.T) {
	for _, tc := range []struct {
		name     string
		demand   paystream.Demand
		fee      int64
		round    int
		total    int64
		payments int
	}{
		{"the fee", paystream.Demand{DueMsat: 500}, 500, 0, 10_500, 10},
		{"the first priced round ahead", paystream.Demand{DueMsat: 1000}, 0, 2, 10_000, 9},
	} {
		t.Run(tc.name, func(t *testing.T) {
			payerBubble(t, func(w *payerWorld) {
				w.relay.terms.FeeMsat = 700
				w.relay.demand, w.relay.fee = &tc.demand, tc.fee
				w.relay.demandRound = tc.round
				w.start()
				began := time.Now()
				h := w.open()
				w.wantSent(tc.demand.DueMsat, 1)
				if st := w.status(h); st.PaidThrough != max(1, tc.round) {
					w.Errorf("paid through %d after opening", st.PaidThrough)
				}
				w.at(began, 11*time.Minute)
				w.want("COMPLETED COMPLETED")
				w.wantSent(tc.total, tc.payments)
				w.agree()
			})
		})
	}
}

// The relay hears of the fee late: it is asked again and again, and paid once.
func TestPayerMeetsTheOpeningDemandOnce(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.relay.terms.FeeMsat = 500
		w.relay.demand, w.relay.fee = &paystream.Demand{DueMsat: 500}, 500
		deaf := w.node.credits
		w.node.credits = func(note paystream.RoundID, msat int64) {
			time.AfterFunc(10*time.Second, func() { deaf(note, msat) })
		}
		w.start()
		w.open()
		if len(w.relay.intents) < 3 {
			w.Errorf("%d intents, want polling", len(w.relay.intents))
		}
		w.wantSent(500, 1)
		w.wait(11 * time.Second)
	})
}

func TestPayerOpenRefusals(t *testing.T) {
	other := payerTerms()
	other.RateMsat = 2000
	for _, tc := range []struct {
		name    string
		prepare func(w *payerWorld)
		reason  paystream.Reason
		is      error
		intents int
	}{
		{"a fee above the terms", func(w *payerWorld) { w.relay.demand = &paystream.Demand{DueMsat: 1} }, paystream.ReasonRelay, nil, 1},
		{"a round above its price", func(w *payerWorld) {
			w.relay.demand, w.relay.demandRound = &paystream.Demand{DueMsat: 1001}, 2
		}, paystream.ReasonRelay, nil, 1},
		{"another round", func(w *payerWorld) {
			w.relay.demand, w.relay.demandRound = &paystream.Demand{DueMsat: 1000}, 3
		}, paystream.ReasonRelay, nil, 1},
		{"a fee that nobody stated", func(w *payerWorld) { w.relay.fee = 5 }, paystream.ReasonTerms, nil, 1},
		{"other terms", func(w *payerWorld) { w.relay.answer = func() error { return &paystream.TermsChanged{Terms: other} } }, paystream.ReasonTerms, nil, 1},
		{"taken twice", func(w *payerWorld) { w.relay.answer = func() error { return paystream.ErrRetired } }, paystream.ReasonRelay, paystream.ErrRetired, 2},
		{"malformed", func(w *payerWorld) { w.relay.answer = func() error { return paystream.ErrMalformed } }, paystream.ReasonRelay, paystream.ErrMalformed, 1},
		{"busy for too long", func(w *payerWorld) {
			w.relay.answer = func() error { return &paystream.Busy{RetryAfter: time.Hour, Reason: "full"} }
		}, paystream.ReasonRelay, nil, 1},
		{"the policy", func(w *payerWorld) { w.policy.MaxRoundMsat = 1 }, paystream.ReasonPolicy, nil, 0},
		{"the budget", func(w *payerWorld) {
			w.relay.terms.FeeMsat = 500
			w.relay.demand, w.budget = &paystream.Demand{DueMsat: 500}, newPayerPurse(10)
		}, paystream.ReasonBudget, nil, 1},
		{"the wallet", func(w *payerWorld) {
			w.relay.terms.FeeMsat = 500
			w.relay.demand, w.node.away = &paystream.Demand{DueMsat: 500}, true
		}, paystream.ReasonWallet, nil, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			payerBubble(t, func(w *payerWorld) {
				tc.prepare(w)
				w.start()
				_, err := w.payer.Open(w.Context(), w.request())
				w.wait(0)
				var refusal *paystream.Refusal
				if !errors.As(err, &refusal) || refusal.Reason != tc.reason || tc.is != nil && !errors.Is(err, tc.is) {
					w.Errorf("got %v, want %s", err, tc.reason)
				}
				var changed *paystream.TermsChanged
				if errors.As(err, &changed) && changed.Terms != other {
					w.Error("the new terms are not those of the relay")
				}
				if len(w.relay.intents) != tc.intents {
					w.Errorf("%d intents, want %d", len(w.relay.intents), tc.intents)
				}
				w.wantSent(0, 0)
				w.agree()
			})
		})
	}
}

func TestPayerTriesAgainWithAFreshPreimage(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.relay.answer = func() error {
			if len(w.relay.intents) == 1 {
				return paystream.ErrConflict
			}
			return nil
		}
		w.start()
		w.open()
		if a, b := w.relay.intents[0], w.relay.intents[1]; a.Hash == b.Hash {
			w.Error("the second intent has the hash of the first")
		}
	})
}

func TestPayerHonoursRetryAfter(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.relay.answer = func() error {
			if len(w.relay.intents) == 1 {
				return &paystream.Busy{RetryAfter: 17 * time.Second, Reason: "full"}
			}
			return nil
		}
		w.start()
		began := time.Now()
		w.open()
		if d := time.Since(began); d < 17*time.Second || d > 18*time.Second {
			w.Errorf("admitted after %s, want 17 s", d)
		}
	})
}

func TestPayerOpenEndsWithItsContext(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.relay.answer = func() error { return errors.New("connection refused") }
		w.start()
		ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
		defer cancel()
		if _, err := w.payer.Open(ctx, w.request()); !errors.Is(err, context.DeadlineExceeded) {
			w.Errorf("got %v", err)
		}
		w.want("CLOSED CLIENT")
		if !w.relay.ended {
			w.Error("the relay was not told")
		}
	})
}

// A payee that forgot an intent that paid nothing is told of it again.
func TestPayerDeliversAForgottenIntentAgain(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.start()
		h := w.open()
		w.wait(30 * time.Second)
		w.relay.mu.Lock()
		w.relay.hash = paystream.PaymentIDHash{}
		w.relay.mu.Unlock()
		w.payer.Ask(h)
		w.wait(time.Second)
		if len(w.relay.intents) != 2 || w.relay.intents[0].Hash != w.relay.intents[1].Hash {
			w.Errorf("%d intents, want the same twice", len(w.relay.intents))
		}
		w.wait(10 * time.Minute)
		w.want("COMPLETED COMPLETED")
		w.wantSent(10_000, 9)
		w.agree()
	})
}

func TestPayerLetsTheControllerPay(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.start()
		req := w.request()
		req.NoPay = true
		for range req.Terms.Rounds {
			req.RoundIDs = append(req.RoundIDs, paystream.RoundID(paystream.NewPreimage().Hex()))
		}
		began := time.Now()
		h, err := w.payer.Open(w.Context(), req)
		if err != nil {
			w.Fatal(err)
		}
		for r := 2; r <= 5; r++ {
			w.at(began, time.Duration(r)*time.Minute-21*time.Second)
			w.node.credits(req.RoundIDs[r-1], 1000)
			w.at(began, time.Duration(r)*time.Minute)
			if st := w.status(h); st.PaidThrough != r {
				w.Errorf("paid through %d, want %d", st.PaidThrough, r)
			}
		}
		w.at(began, 6*time.Minute+16*time.Second)
		w.want("CLOSED LATE")
		if len(w.node.fetches) != 0 {
			w.Error("the engine paid")
		}
	})
}

func TestPayerOpenChecksTheRequest(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.start()
		req := w.request()
		req.RoundIDs = []paystream.RoundID{"1"}
		if _, err := w.payer.Open(w.Context(), req); err == nil {
			w.Error("1 round id for 10 rounds was accepted")
		}
		req = w.request()
		req.Terms = policies.Terms{}
		if _, err := w.payer.Open(w.Context(), req); err == nil {
			w.Error("empty terms were accepted")
		}
	})
}

// What the relay asks before it admits a controller's pay stream is told to the
// controller, and paid by it.
func TestPayerLetsTheControllerMeetTheDemand(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.relay.demand, w.relay.demandRound = &paystream.Demand{DueMsat: 1000}, 2
		w.start()
		preimage := paystream.NewPreimage()
		note := preimage.Hash().RoundID(w.relay.terms.Hash(), 2)
		req := w.request()
		req.NoPay, req.Preimage = true, &preimage
		time.AfterFunc(10*time.Second, func() { w.relay.credit(note, 1000) })
		h, err := w.payer.Open(w.Context(), req)
		if err != nil {
			w.Fatal(err)
		}
		if h != preimage.Hash().Handle() {
			w.Errorf("pay stream %s, want that of the hash that was brought", h)
		}
		if got := w.told()[:2]; got[1] != "DUE" {
			w.Errorf("the controller was told %q", got)
		}
		if st := w.status(h); st.PaidThrough != 2 || st.PaidMsat != 1000 {
			w.Errorf("paid through %d with %d msat, want 2 with 1000", st.PaidThrough, st.PaidMsat)
		}
		if _, err := w.payer.Open(w.Context(), req); !errors.Is(err, paystream.ErrRetired) {
			w.Errorf("the same hash again: %v, want %v", err, paystream.ErrRetired)
		}
		w.wantSent(0, 0)
	})
}

// A price beyond the policy is the controller's business if it pays.
func TestPayerHoldsNoControllerToThePrice(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.relay.terms.RateMsat = w.policy.MaxRoundMsat + 1
		w.start()
		req := w.request()
		if _, err := w.payer.Open(w.Context(), req); err == nil {
			w.Error("terms beyond the policy were accepted")
		}
		req.NoPay = true
		if _, err := w.payer.Open(w.Context(), req); err != nil {
			w.Error(err)
		}
	})
}
