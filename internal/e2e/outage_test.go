package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/config"
)

// outages takes the Lightning nodes away and gives them back: nobody is cut who
// paid.
func (w *world) outages(t *testing.T) {
	const long = 3 * time.Second // a round, and its grace
	w.restartRelay(t, func(r *config.Relay) {
		r.Interval, r.Grace, r.Rounds, r.Prepay = config.Duration(long), config.Duration(long), 5, 1
		r.FreeBytes = 1 << 30 // nothing raises the allowance while the relay knows of no payment
	})
	t.Cleanup(func() { w.restartRelay(t, nil) })
	w.steady(t)
	c := w.controller(t)
	circ := c.extend(t, w.path)
	mark := w.log.mark()
	free := c.wait(t, "the pay stream", 20*time.Second, on(circ, controlspec.StatusFree))
	d := startDownload(t, circ)

	// The payee's node goes before round 2 is paid, for longer than its deadline.
	w.outage(t, "payee", true)
	paid := c.wait(t, "round 2 to be paid", 3*long, of(free.Handle, controlspec.StatusPaid))
	time.Sleep(2*long + 500*time.Millisecond) // past the deadline of round 2, and an outage as §3 counts it
	d.goesOn(t)
	w.outage(t, "payee", false)
	t.Logf("round %d was paid while the relay's node was away", paid.Round)

	// The payer's node goes before the last round is paid, and comes back within the
	// grace.
	last := c.wait(t, "the last round", 4*long, func(e controlspec.PayStreamEvent) bool {
		return e.Handle == free.Handle && e.Status == controlspec.StatusDue && e.Round == 5
	})
	w.outage(t, "payer", true)
	time.Sleep(long) // it is due when that is over
	if got := c.info(t, "tops/paystream/"+free.Handle); !strings.Contains(got, fmt.Sprintf(" PAID_MSAT=%d ", last.PaidMsat)) {
		t.Errorf("without its node the payer has paid: %s", got)
	}
	w.outage(t, "payer", false)
	done := c.wait(t, "the pay stream to complete", 6*long, func(e controlspec.PayStreamEvent) bool {
		return e.Handle == free.Handle && (e.Status == controlspec.StatusCompleted || e.Status == controlspec.StatusClosed)
	})
	if done.Status != controlspec.StatusCompleted || done.PaidMsat != 5000 {
		t.Errorf("the pay stream ended %s REASON=%s with %d msat paid, want COMPLETED with 5000", done.Status, done.Reason, done.PaidMsat)
	}
	var life []controlspec.PayStreamStatus // each when it came first
	for _, e := range c.heard {
		if e.Handle != free.Handle {
			continue
		}
		if e.Status == controlspec.StatusLate {
			t.Errorf("a round was late: %+v", e)
		}
		if !slices.Contains(life, e.Status) && e.Status != controlspec.StatusHeld { // as the outage has it
			life = append(life, e.Status)
		}
	}
	if want := []controlspec.PayStreamStatus{"TERMS", "INTENT", "FREE", "DUE", "PAYING", "PAID", "COMPLETED"}; !slices.Equal(life, want) {
		t.Errorf("the controller heard %v, want %v", life, want)
	}
	w.log.once(t, mark, "relay", "waitanyinvoice")
	w.log.once(t, mark, "client", "the node cannot be reached")
	c.closeCircuit(circ)
	<-d.done
	until(t, "the relay to book it", 10*time.Second, func() bool {
		return strings.Contains(w.log.String(), `"paystream":"`+free.Handle+`","status":"COMPLETED","circuit":""`)
	})
	if err := w.nodes.Audit(); err != nil {
		t.Error(err)
	}
	// New circuits are paid again as soon as the client has seen that its node is back.
	var got string
	until(t, "a new circuit", 15*time.Second, func() bool {
		got = c.ask(t, "EXTENDPAIDCIRCUIT 0 "+strings.Join(w.path, ","))
		if !strings.HasPrefix(got, "250 ") && !strings.HasPrefix(got, "551 REASON=WALLET ") {
			t.Fatalf("EXTENDPAIDCIRCUIT after an outage: %s", got)
		}
		return strings.HasPrefix(got, "250 ")
	}, func() string { return got })
	c.closeCircuit(strings.TrimPrefix(got, "250 EXTENDED "))
}

func (w *world) outage(t *testing.T, node string, out bool) {
	t.Helper()
	if out {
		t.Cleanup(func() { w.nodes.SetOutage(node, false) })
	}
	if err := w.nodes.SetOutage(node, out); err != nil {
		t.Fatal(err)
	}
}
