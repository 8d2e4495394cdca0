package e2e_test

import (
	"testing"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/config"
)

// exhausted lets a relay give nothing for nothing: the first connection has the client
// pay, and waits for that, where its round would be due long after.
func (w *world) exhausted(t *testing.T) {
	const long = 30 * time.Second
	w.restartRelay(t, func(r *config.Relay) { r.FreeBytes, r.Interval = 0, config.Duration(long) })
	t.Cleanup(func() { w.restartRelay(t, nil) })
	w.steady(t)
	c := w.controller(t)
	before := w.totals(t, "client")
	circ := c.extend(t, w.path)
	free := c.wait(t, "the pay stream", 20*time.Second, on(circ, controlspec.StatusFree))

	begin := time.Now()
	first := startDownload(t, circ)
	took := time.Since(begin)
	first.goesOn(t)
	paid := c.wait(t, "the payment", 5*time.Second, of(free.Handle, controlspec.StatusPaid))
	if paid.PaidMsat != 1000 || took > 10*time.Second {
		t.Errorf("connected after %v, with %d msat paid, want those of the first priced round at once", took, paid.PaidMsat)
	}
	startDownload(t, circ).goesOn(t) // for the same money
	if after := w.totals(t, "client"); after.SpentMsat-before.SpentMsat != 1000 {
		t.Errorf("the client spent %d msat, want 1000", after.SpentMsat-before.SpentMsat)
	}
	t.Logf("connected, and paid, after %v", took.Round(time.Millisecond))
	c.closeCircuit(circ)
}
