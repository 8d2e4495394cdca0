package e2e_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/testnet"
	"github.com/el-tor/tops/ledger"
)

// The terms of the relay unless a scene says otherwise: rounds of two seconds.
const (
	interval = 2 * time.Second
	grace    = time.Second
	rounds   = 10
	gwPort   = 9402
)

const version = "1.2.3-e2e"

// world is the network, the nodes, and a relay and a client of tops.
type world struct {
	dir   string
	net   *testnet.Network
	nodes *clnsim.World
	log   *logBuffer
	exit  *testnet.Node // the relay that is paid
	path  []string      // guard, middle, exit
	base  options       // of the exit's tor, before tops came

	relay, client *role
	stranger      *stranger
}

func TestWorld(t *testing.T) {
	w := newWorld(t)
	for _, s := range []struct {
		name  string
		scene func(*world, *testing.T)
	}{
		{"information", (*world).information},
		{"extend", (*world).extendBadly},
		{"self-paid", (*world).selfPaid},
		{"payment options", (*world).paymentOptions},
		{"loadconf", (*world).loadConf},
		{"upgrade", (*world).upgrades},
		{"controller", (*world).badControllers},
		{"gateway", (*world).badRequests},
		{"targets", (*world).badTargets},
		{"client targets", (*world).badTargetsOfApps},
		{"opening fee", (*world).openingFee},
		{"exhausted", (*world).exhausted},
		{"terms changed", (*world).termsChanged},
		{"terms", (*world).badTerms},
		{"budget", (*world).overBudget},
		{"offer", (*world).badOffer},
		{"lightning address", (*world).lightningAddress},
		{"outage", (*world).outages},
		{"tor", (*world).torGone},
		{"reload", (*world).reload},
		{"undo", (*world).undo},
		{"exit path", (*world).exitPath},
	} {
		t.Run(s.name, func(t *testing.T) { s.scene(w, t) })
	}
	t.Run("secrets", w.secrets)
	t.Run("destinations", w.destinations)
}

// newWorld starts everything, and ends it with the test.
func newWorld(t *testing.T) *world {
	dir, err := os.MkdirTemp("", "e2e") // short, for the paths of sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &world{dir: dir, log: &logBuffer{}, nodes: clnsim.NewWorld(clnsim.Options{})}
	t.Cleanup(w.nodes.Close)
	for _, name := range []string{"payer", "payee", "stranger"} {
		if err := w.nodes.AddNode(name, clnsim.NodeOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := w.nodes.Start(name, w.rpc(name)); err != nil {
			t.Fatal(err)
		}
	}
	serveOutside(t)
	begin := time.Now()
	if w.net, err = testnet.Start(t.Context(), testnet.Options{Relays: 4, Clients: 2}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.net.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("the network was ready after %v", time.Since(begin).Round(time.Millisecond))
	relays := w.net.Relays
	w.exit = relays[3]
	w.path = []string{relays[0].Fingerprint, relays[1].Fingerprint, w.exit.Fingerprint}
	w.base = w.options(t, w.exit, relayOptions)
	w.publishBadTerms(t)
	w.stranger = newStranger(t, w)
	t.Cleanup(func() {
		w.client.stop(t)
		w.relay.stop(t)
		if t.Failed() {
			t.Logf("the log:\n%s", w.log.String())
		}
	})
	w.startRelay(t, nil)
	w.startClient(t, nil)
	return w
}

func (w *world) rpc(node string) string { return filepath.Join(w.dir, node+"-rpc") }

func (w *world) gateway() netip.AddrPort { return netip.AddrPortFrom(w.exit.Addr, gwPort) }

// A role is a running tops.
type role struct {
	cfg    *config.Config
	app    *app.App
	cancel context.CancelFunc
	ended  chan error
}

// run runs a configuration until stop.
func (w *world) run(t *testing.T, cfg *config.Config, name string) *role {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &role{cfg: cfg, cancel: cancel, ended: make(chan error, 1)}
	ready := make(chan struct{})
	go func() {
		r.ended <- app.Run(ctx, cfg, app.Options{Version: version, Log: w.log.logger(name), Running: func(a *app.App) { r.app = a; close(ready) }})
	}()
	select {
	case <-ready:
	case err := <-r.ended:
		cancel()
		t.Fatalf("the %s ended at once: %v\n%s", name, err, w.log.String())
	case <-time.After(30 * time.Second):
		cancel()
		t.Fatalf("the %s is not ready\n%s", name, w.log.String())
	}
	return r
}

// stop ends it as its operator would.
func (r *role) stop(t *testing.T) {
	t.Helper()
	if r == nil || r.cancel == nil {
		return
	}
	r.cancel()
	r.cancel = nil
	select {
	case err := <-r.ended:
		if err != nil {
			t.Errorf("tops ended with: %v", err)
		}
	case <-time.After(40 * time.Second):
		t.Errorf("tops does not end:\n%s", stacks())
	}
}

func parse(t *testing.T, format string, args ...any) *config.Config {
	t.Helper()
	cfg, err := config.Parse(fmt.Sprintf(format, args...))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// startRelay starts the relay, with a configuration that change may have changed.
func (w *world) startRelay(t *testing.T, change func(*config.Relay)) {
	t.Helper()
	cfg := parse(t, `data_dir = %q
[tor]
control = "unix:%s"
[lightning]
rpc = %q
[proxy]
listen = ["unix:%s"]
[relay]
interval = "%s"
grace = "%s"
rounds = %d
exit_policy = "accept *:*"
`, filepath.Join(w.dir, "relay"), w.exit.ControlSocket, w.rpc("payee"), w.relayControlSocket(), interval, grace, rounds)
	if change != nil {
		change(cfg.Relay)
	}
	w.relay = w.run(t, cfg, "relay")
	w.reachable(t)
}

func (w *world) restartRelay(t *testing.T, change func(*config.Relay)) {
	t.Helper()
	w.relay.stop(t)
	w.startRelay(t, change)
}

func (w *world) startClient(t *testing.T, change func(*config.Client)) {
	t.Helper()
	cfg := parse(t, `data_dir = %q
[tor]
control = "unix:%s"
[lightning]
rpc = %q
[proxy]
listen = ["unix:%s"]
[client]
socks = %q
relays = [%q]
guards = [%q]
spare_circuits = 0 # the scenes count circuits
`, filepath.Join(w.dir, "client"), w.net.Clients[0].ControlSocket, w.rpc("payer"), w.controlSocket(), socksPort,
		w.exit.Fingerprint, w.path[0])
	if change != nil {
		change(cfg.Client)
	}
	w.client = w.run(t, cfg, "client")
}

func (w *world) restartClient(t *testing.T, change func(*config.Client)) {
	t.Helper()
	w.client.stop(t)
	w.startClient(t, change)
}

const socksPort = "127.0.0.1:9150"

// controlSocket is the client's control port: tor's, with the words of TOPS.
func (w *world) controlSocket() string { return filepath.Join(w.dir, "control.sock") }

// relayControlSocket is the relay's.
func (w *world) relayControlSocket() string { return filepath.Join(w.dir, "relay-control.sock") }

// reachable waits until the relay's gateway answers through tor: an exit enforces
// a changed policy about a second after it was set.
func (w *world) reachable(t *testing.T) {
	t.Helper()
	var last error
	until(t, "the gateway to be reachable through tor", 30*time.Second, func() bool {
		last = w.stranger.reach(w)
		return last == nil
	}, func() string { return fmt.Sprint(last) })
}

// books opens a role's ledger for reading.
func (w *world) totals(t *testing.T, name string) ledger.Totals {
	t.Helper()
	books, err := ledger.OpenReader(t.Context(), filepath.Join(w.dir, name, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer books.Close()
	totals, err := books.Totals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return totals
}

// steady has the scene end as it begins: with no more goroutines, and no more
// descriptors, than it found. The client's spare circuits do not count: it keeps more
// of them for two minutes after new users came.
func (w *world) steady(t *testing.T) {
	t.Helper()
	fds, routines := descriptors(t), 0
	for range 10 { // what waits by asking again has a moment in between
		routines = max(routines, goroutines())
		time.Sleep(10 * time.Millisecond)
	}
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		now := func() (int, int) { return len(descriptors(t)), goroutines() }
		until(t, "everything to be given back", 15*time.Second, func() bool {
			f, g := now()
			return f <= len(fds) && g <= routines
		}, func() string {
			f, g := now()
			return fmt.Sprintf("%d goroutines, before %d; %d descriptors, before %d\n%v\nbefore %v\n%s",
				g, routines, f, len(fds), descriptors(t), fds, stacks())
		})
	})
}

// descriptors lists what this process has open.
func descriptors(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		// SQLite keeps what a second connection of this process opened.
		if err == nil && !strings.HasPrefix(to, "/proc/") && !strings.Contains(to, "/ledger.db") {
			out = append(out, to)
		}
	}
	return out
}

// goroutines counts all but those of spare circuits.
func goroutines() int {
	all := stacks()
	return strings.Count(all, "\ngoroutine ") + 1 - strings.Count(all, "/internal/client.(*circuit).wanted(")
}

func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// until waits for a condition.
func until(t *testing.T, what string, limit time.Duration, ok func() bool, explain ...func() string) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			more := ""
			for _, f := range explain {
				more += ": " + f()
			}
			t.Fatalf("waited %s for %s%s", limit, what, more)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
