package e2e_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/paystream"
)

// openingFee asks every newcomer for a fee: unpaid 402, paid 201.
func (w *world) openingFee(t *testing.T) {
	w.restartRelay(t, func(r *config.Relay) { r.FeeMsat, r.AskFee = 3000, true })
	t.Cleanup(func() { w.restartRelay(t, nil) })
	w.steady(t)
	link, terms := w.stranger.link(t), w.terms(t)
	in, preimage := w.stranger.intent(terms)
	var demand *paystream.Demand
	for range 2 {
		if _, err := link.Open(t.Context(), in); !errors.As(err, &demand) {
			t.Fatalf("an intent without its fee: %v, want a demand", err)
		}
	}
	fee := in.Hash.RoundID(in.TermsHash, 0)
	if demand.DueMsat != 3000 || demand.Note != fee {
		t.Errorf("the relay demands %d msat, note right: %t; want the fee of 3000", demand.DueMsat, demand.Note == fee)
	}
	if conn, err := link.Connect(t.Context(), in.Hash, chargen.String()); !errors.Is(err, paystream.ErrUnknown) {
		if err == nil {
			conn.Close()
		}
		t.Errorf("CONNECT without the fee: %v, want %v", err, paystream.ErrUnknown)
	}
	w.stranger.pay(t, terms, fee, 3000)
	var ans paystream.Answer
	until(t, "the paid fee to open the pay stream", 10*time.Second, func() bool {
		var err error
		ans, err = link.Open(t.Context(), in)
		return err == nil
	})
	if ans.FeeMsat != 3000 || ans.BalanceMsat != 3000 {
		t.Errorf("the relay says fee %d, balance %d", ans.FeeMsat, ans.BalanceMsat)
	}
	if _, err := link.End(t.Context(), in.Hash, preimage); err != nil {
		t.Error(err)
	}

	// The client pays it by itself, once, and goes on.
	c := w.controller(t)
	before := w.totals(t, "client")
	circ := c.extend(t, w.path)
	e := c.wait(t, "the pay stream", 20*time.Second, on(circ, controlspec.StatusFree))
	if e.PaidMsat != 3000 {
		t.Errorf("the client paid %d msat to begin, want the fee of 3000", e.PaidMsat)
	}
	startDownload(t, circ).goesOn(t)
	if after := w.totals(t, "client"); after.SpentMsat-before.SpentMsat != 3000 {
		t.Errorf("the client's books say %d msat for the fee", after.SpentMsat-before.SpentMsat)
	}
}

// termsChanged has the relay come back with another price while the client still
// has the old terms: 412, and the client takes the new ones if its policy agrees.
func (w *world) termsChanged(t *testing.T) {
	t.Cleanup(func() { w.restartRelay(t, nil) })
	w.steady(t)
	c := w.controller(t)
	until(t, "the client to have the old terms", 30*time.Second, func() bool {
		return strings.Contains(c.ask(t, "GETINFO tops/terms/"+w.exit.Fingerprint), "topsratemsat:1000 ")
	})
	w.restartRelay(t, func(r *config.Relay) { r.RateMsat = 2000 })
	circ := c.extend(t, w.path)
	c.wait(t, "the pay stream", 20*time.Second, on(circ, controlspec.StatusFree))
	paid := c.wait(t, "a payment", 3*interval+5*time.Second, on(circ, controlspec.StatusPaid))
	if paid.PaidMsat != 2000 {
		t.Errorf("round 2 cost %d msat, want the new price of 2000", paid.PaidMsat)
	}
	c.closeCircuit(circ)

	mark := w.log.mark()
	w.restartRelay(t, func(r *config.Relay) { r.RateMsat = 6000 })
	spent := w.totals(t, "client").SpentMsat
	dear := c.extend(t, w.path)
	until(t, "the circuit to be left", 20*time.Second, func() bool {
		return !strings.Contains("\n"+c.info(t, "circuit-status"), "\n"+dear+" ")
	})
	refused := c.wait(t, "the refusal", 5*time.Second, on(dear, controlspec.StatusRefused))
	if refused.Reason != "TERMS" {
		t.Errorf("refused with REASON=%s, want TERMS", refused.Reason)
	}
	w.log.once(t, mark, "client", "above the policy's cap of 5000 msat per round")
	if after := w.totals(t, "client").SpentMsat; after != spent {
		t.Errorf("%d msat were spent on it", after-spent)
	}
}
