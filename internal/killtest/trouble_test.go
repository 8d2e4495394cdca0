package killtest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/el-tor/tops/cln/clnsim"
)

// The payee's node is away, then the payer's, for long enough that deadlines
// pass. HTLCs still settle: a node that does not answer has not stopped.
func TestNodeAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	w.faults("payer", clnsim.Faults{PayDelay: 300 * time.Millisecond}) // some are on their way when it goes
	w.run()
	for _, node := range []string{"payee", "payer"} {
		w.away(node, size(7*time.Second, time.Minute))
		before := w.count(clnsim.Complete)
		w.until("payments after the outage", 20*time.Second, func() bool { return w.count(clnsim.Complete) > before })
	}
	if r := w.end(); r.completed == 0 {
		t.Errorf("%s", r)
	}
}

func (w *world) away(node string, d time.Duration) {
	w.Helper()
	if err := w.sim.SetOutage(node, true); err != nil {
		w.Fatal(err)
	}
	time.Sleep(d)
	if err := w.sim.SetOutage(node, false); err != nil {
		w.Fatal(err)
	}
}

// Three of ten attempts fail, and one of ten questions is lost, or its answer.
func TestFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	w.faults("payer", clnsim.Faults{PayDelay: 50 * time.Millisecond, FailRate: 0.3, HangUpRate: 0.1, DropRate: 0.1, Linger: 200 * time.Millisecond})
	w.faults("payee", clnsim.Faults{UnlimitedOnion: true, HangUpRate: 0.1})
	w.run()
	w.until("payments", size(time.Minute, 10*time.Minute), func() bool { return w.count(clnsim.Complete) >= size(25, 1000) })
	w.end()
}

// HTLCs get stuck past every deadline; some settle then, and are booked late.
func TestStuck(t *testing.T) {
	t.Parallel()
	for _, fails := range []bool{false, true} {
		t.Run(fmt.Sprintf("fails=%v", fails), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 4)
			w.run() // one is paid before the trouble begins
			w.faults("payer", clnsim.Faults{PayDelay: 20 * time.Millisecond, StuckRate: 0.3, StuckFor: 4 * time.Second, StuckFails: fails})
			before := w.count(clnsim.Complete)
			w.until("payments", size(time.Minute, 10*time.Minute), func() bool { return w.count(clnsim.Complete)-before >= size(15, 300) })
			if r := w.end(); !fails && r.late == 0 {
				t.Errorf("nothing settled late: %s", r)
			}
		})
	}
}

// The payee finds 10,000 paid invoices when it starts, and behind them those of
// pay streams that were paid while it was dead.
func TestBacklog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	w.run()
	for i := range size(1, 20) {
		before := w.count(clnsim.Complete)
		w.until("payments", time.Minute, func() bool { return w.count(clnsim.Complete) >= before+4 })
		w.payee.kill()
		w.kills++
		w.backlog(max(1000, 10_000-10_000*i))
		w.startPayee()
	}
	if r := w.end(); r.completed == 0 {
		t.Errorf("%s", r)
	}
}

func (w *world) backlog(n int) {
	w.Helper()
	if err := w.sim.Backlog("stranger", "payee", n, func(i int) string { return fmt.Sprint(i) }); err != nil {
		w.Fatal(err)
	}
}
