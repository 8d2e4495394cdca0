package killtest_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/el-tor/tops/cln/clnsim"
)

// world is a payer, a payee, and the nodes that outlive them.
type world struct {
	*testing.T
	sim          *clnsim.World
	dir          string
	payer, payee *proc
	streams      int // that the payer keeps going
	kills        int
	midway       int // of them, those while a payment was on its way
}

// worlds numbers the addresses of gateways, so that no two are ever the same.
var worlds atomic.Uint32

func newWorld(t *testing.T, streams int) *world {
	w := &world{T: t, dir: t.TempDir(), streams: streams}
	w.sim = clnsim.NewWorld(clnsim.Options{})
	t.Cleanup(w.sim.Close)
	for _, name := range []string{"payer", "payee", "stranger"} {
		if err := w.sim.AddNode(name, clnsim.NodeOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := w.sim.Start(name, filepath.Join(w.dir, name+"-rpc")); err != nil {
			t.Fatal(err)
		}
	}
	w.faults("payee", clnsim.Faults{UnlimitedOnion: true})
	pid := os.Getpid()
	env := []string{envDir + "=" + w.dir, fmt.Sprintf("%s=127.%d.%d.%d:9402", envGateway, 64+pid>>8&63, pid&255, worlds.Add(1))}
	w.payer = newProc(t, "payer", filepath.Join(w.dir, "payer.log"), env...)
	w.payee = newProc(t, "payee", filepath.Join(w.dir, "payee.log"), env...)
	t.Cleanup(func() { // before the processes end
		for _, name := range []string{"payer.log", "payee.log"} {
			text, _ := os.ReadFile(filepath.Join(w.dir, name))
			if strings.Contains(string(text), "DATA RACE") || strings.Contains(string(text), "panic:") {
				t.Errorf("%s", name)
			}
			if t.Failed() {
				t.Logf("%s:\n%s", name, tail(string(text), 2000))
			}
		}
	})
	return w
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

func (w *world) faults(node string, f clnsim.Faults) {
	w.Helper()
	if err := w.sim.SetFaults(node, f); err != nil {
		w.Fatal(err)
	}
}

// badDay makes both nodes slow and unreliable, in every way at once.
func (w *world) badDay() {
	w.Helper()
	w.faults("payer", clnsim.Faults{
		Latency: 2 * time.Millisecond, FetchDelay: 20 * time.Millisecond, DropRate: 0.02,
		PayDelay: 60 * time.Millisecond, FailRate: 0.3, // xpay tries again by itself, and succeeds late
		StuckRate: 0.03, StuckFor: 1500 * time.Millisecond, Linger: 100 * time.Millisecond,
		HangUpRate: 0.03, Hops: 1, FeeBaseMsat: 7,
	})
	w.faults("payee", clnsim.Faults{UnlimitedOnion: true, Latency: time.Millisecond, HangUpRate: 0.03})
}

func (w *world) startPayer() { w.Helper(); w.payer.start(fmt.Sprintf("%s=%d", envStreams, w.streams)) }
func (w *world) startPayee() { w.Helper(); w.payee.start() }

// run starts both and waits for the first payment.
func (w *world) run() {
	w.Helper()
	w.startPayee()
	w.startPayer()
	w.until("the first payment", time.Minute, func() bool { return w.count(clnsim.Complete) > 0 })
}

// kill ends one of the two at a random moment, and starts it again. Every other
// time the moment is soon after a payment has begun: there is most to lose then.
func (w *world) kill(p *proc, start func()) {
	w.Helper()
	within := time.Second
	if w.kills%2 == 0 {
		for end := time.Now().Add(10 * time.Second); w.count(clnsim.Pending) == 0 && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
		within = 100 * time.Millisecond
	}
	time.Sleep(time.Duration(rand.Int64N(int64(within))))
	p.kill()
	w.kills++
	if w.count(clnsim.Pending) > 0 {
		w.midway++
	}
	start()
}

// count counts the payments of the payer's node.
func (w *world) count(status clnsim.Status) (n int) {
	for _, p := range w.sim.Payments() {
		if p.From == "payer" && p.Status == status {
			n++
		}
	}
	return n
}

func (w *world) until(what string, limit time.Duration, ok func() bool) {
	w.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("waited %s for %s", limit, what)
		}
	}
}

// end lets the payer finish what it has, then ends both and compares the books.
func (w *world) end() report {
	w.Helper()
	w.payer.stop()
	w.payer.start(envStreams + "=0")
	var last report
	limit := size(90*time.Second, 5*time.Minute)
	for end := time.Now().Add(limit); ; time.Sleep(500 * time.Millisecond) {
		last = w.audit()
		if last.open == 0 && len(last.findings) == 0 {
			break
		}
		if time.Now().After(end) {
			w.Errorf("after %s %d pay streams and payments are still open: %q", limit, last.open, last.still)
			break
		}
	}
	w.payer.stop()
	w.payee.stop()
	last = w.audit()
	last.kills, last.midway = w.kills, w.midway
	fmt.Printf("%s: %s\n", w.Name(), last)
	for _, f := range last.findings {
		w.Error(f)
	}
	if err := w.sim.Audit(); err != nil {
		w.Error(err)
	}
	return last
}
