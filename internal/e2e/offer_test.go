package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/controlspec"
)

// badOffer has a relay ask to be paid by an offer that is none.
func (w *world) badOffer(t *testing.T) {
	w.relay.stop(t)
	stop := w.runOfferless(t)
	t.Cleanup(func() {
		stop()
		w.startRelay(t, nil)
	})
	w.steady(t)
	mark := w.log.mark()
	c := w.controller(t)
	spent := w.totals(t, "client").SpentMsat
	circ := c.extend(t, w.path)
	refused := c.wait(t, "the refusal", 20*time.Second, on(circ, controlspec.StatusRefused))
	if refused.Reason != "TERMS" {
		t.Errorf("refused with REASON=%s, want TERMS", refused.Reason)
	}
	until(t, "the circuit to be left", 20*time.Second, func() bool {
		return !strings.Contains("\n"+c.info(t, "circuit-status"), "\n"+circ+" ")
	})
	w.log.once(t, mark, "client", "offer")
	if after := w.totals(t, "client"); after.SpentMsat != spent || after.HeldMsat != 0 {
		t.Errorf("%d msat were spent on it, %d are held", after.SpentMsat-spent, after.HeldMsat)
	}
}
