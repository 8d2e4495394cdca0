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
			w := newWorld(t, 12) // each waits longer for what is stuck than for anything else
			w.run()              // one is paid before the trouble begins
			w.faults("payer", clnsim.Faults{PayDelay: 20 * time.Millisecond, StuckRate: 0.3, StuckFor: 4 * time.Second, StuckFails: fails})
			before, began := w.count(clnsim.Complete), time.Now()
			w.until("payments", size(3*time.Minute, 10*time.Minute), func() bool { return w.count(clnsim.Complete)-before >= size(15, 300) })
			t.Logf("paid after %v", time.Since(began).Round(time.Second))
			if r := w.end(); !fails && r.late == 0 {
				t.Errorf("nothing settled late: %s", r)
			}
		})
	}
}

// The payee finds 10,000 paid invoices when it starts, and behind them those of pay
// streams that were paid while it was dead.
func TestBacklog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	w.run()
	for i := range size(1, 20) {
		w.more("payments", 4)
		w.payee.kill()
		w.kills++
		n := max(1000, 10_000-10_000*i)
		last := w.walked() + uint64(n)
		w.backlog(n)
		w.startPayee()
		// It judges nobody before, and on a busy machine that takes minutes.
		w.until("the payee to have walked them", 5*time.Minute, func() bool { return w.walked() >= last })
	}
	w.until("a pay stream that is completed", time.Minute, func() bool { return w.audit().completed > 0 })
	w.end()
}

// walked is how far the payee's books are in what its node was paid.
func (w *world) walked() uint64 {
	w.Helper()
	books := w.books("payee")
	defer books.Close()
	state, err := books.LoadPayee(w.Context(), time.Now())
	if err != nil {
		w.Fatal(err)
	}
	return state.PayIndex
}

func (w *world) backlog(n int) {
	w.Helper()
	if err := w.sim.Backlog("stranger", "payee", n, func(i int) string { return fmt.Sprint(i) }); err != nil {
		w.Fatal(err)
	}
}

// The payee's node comes back with an old copy of its database, once while the payee
// runs and once while it does not: what it counts anew is credited, nothing twice.
func TestRestored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	w.faults("payer", clnsim.Faults{PayDelay: 50 * time.Millisecond})
	w.run()
	if err := w.sim.Snapshot("payee"); err != nil {
		t.Fatal(err)
	}
	for _, dead := range []bool{false, true} {
		w.more("payments after the snapshot", 8)
		w.settled() // so that the node forgets nothing that its payee does not know
		if dead {
			w.payee.kill()
			w.kills++
		}
		if err := w.sim.Restore("payee"); err != nil {
			t.Fatal(err)
		}
		if err := w.sim.SetOffline("payer", false); err != nil {
			t.Fatal(err)
		}
		if dead { // the node is paid what its payee will find
			time.Sleep(500 * time.Millisecond)
			w.startPayee()
		}
		w.more("payments after the node was restored", 8)
	}
	if r := w.end(); r.completed == 0 {
		t.Errorf("%s", r)
	}
}

func (w *world) more(what string, n int) {
	w.Helper()
	before := w.count(clnsim.Complete)
	w.until(what, time.Minute, func() bool { return w.count(clnsim.Complete) >= before+n })
}

// settled takes the payer's node off the network and waits until the payee's books have
// all that its node was paid.
func (w *world) settled() {
	w.Helper()
	if err := w.sim.SetOffline("payer", true); err != nil {
		w.Fatal(err)
	}
	w.until("the payee's books", time.Minute, func() bool { return w.count(clnsim.Pending) == 0 && w.audit().losses == 0 })
}
