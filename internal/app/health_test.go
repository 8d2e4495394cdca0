package app

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/internal/client"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/relay"
	"github.com/rs/zerolog"
)

// What is wrong with the node is said once, keeps a payer from paying for new
// circuits, and is over when it is over.
func TestWatchNode(t *testing.T) {
	w := clnsim.NewWorld(clnsim.Options{})
	defer w.Close()
	path := filepath.Join(t.TempDir(), "rpc")
	if err := w.AddNode("alice", clnsim.NodeOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Start("alice", path); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse("[lightning]\nrpc = \"" + path + "\"\n[client]\n")
	if err != nil {
		t.Fatal(err)
	}
	var log lines
	a := &App{cfg: cfg, log: zerolog.New(&log), node: cln.NewClient(path), client: &client.Client{}, lookEvery: 10 * time.Millisecond}
	defer a.node.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.watchNode(ctx) }()

	for range 2 {
		if err := w.SetOutage("alice", true); err != nil {
			t.Fatal(err)
		}
		until(t, func() bool { return a.health.able() != nil })
		if err := a.health.able(); !strings.Contains(err.Error(), "does not answer") || len(a.health.problems()) != 1 {
			t.Errorf("%v, %q", err, a.health.problems())
		}
		time.Sleep(100 * time.Millisecond) // for it to be said again, if it were
		if err := w.SetOutage("alice", false); err != nil {
			t.Fatal(err)
		}
		until(t, func() bool { return a.health.able() == nil && len(a.health.problems()) == 0 })
	}
	cancel()
	<-done
	if away, well := log.count("does not answer"), log.count("all is well again"); away != 2 || well != 2 {
		t.Errorf("two outages were told %d times, and their end %d times:\n%s", away, well, log.String())
	}
}

// Each trouble of a node is said once, also when another comes beside it, and what it
// keeps tops from is refused.
func TestNodeTroubles(t *testing.T) {
	w := clnsim.NewWorld(clnsim.Options{})
	defer w.Close()
	dir := t.TempDir()
	for name, o := range map[string]clnsim.NodeOptions{"alice": {OutMsat: 20_000, InMsat: 1}, "bob": {}, "seen": {Exposed: true}} {
		if err := errors.Join(w.AddNode(name, o), w.Start(name, filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
	}
	parse := func(node, more string) *config.Config {
		cfg, err := config.Parse("[lightning]\nrpc = \"" + filepath.Join(dir, node) + "\"\n" + more)
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	var log lines
	a := &App{cfg: parse("alice", "[client]\n[relay]\n"), log: zerolog.New(&log), node: cln.NewClient(filepath.Join(dir, "alice")),
		client: &client.Client{}, relay: &relay.Relay{}, lookEvery: 10 * time.Millisecond}
	defer a.node.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.watchNode(ctx) }()

	until(t, func() bool { return len(a.health.problems()) == 1 })
	if err := a.health.able(); err != nil {
		t.Errorf("without inbound liquidity it can pay: %v", err)
	}
	if err := w.Backlog("alice", "bob", 18, func(int) string { return "" }); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return a.health.able() != nil })
	if err := a.health.able(); !strings.Contains(err.Error(), "outbound liquidity is 2000 msat, 5000 are needed") {
		t.Error(err)
	}
	if err := w.SetOffline("alice", true); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return log.count("the node has no peers") > 0 })
	if err := a.health.able(); err == nil || !strings.Contains(err.Error(), "no peers") {
		t.Error(err)
	}
	cancel()
	<-done
	// The inbound liquidity comes by what alice spends.
	for _, what := range []string{"inbound liquidity", "outbound liquidity", "the node has no peers"} {
		if n := log.count("lightning: " + what); n != 1 {
			t.Errorf("%q was said %d times:\n%s", what, n, log.String())
		}
	}

	for _, c := range []struct {
		more string
		want string
	}{{"[client]\n", "set fetchinvoice-noconnect or always-use-proxy"}, {"allow_reveal = true\n[client]\n", ""}, {"[relay]\n", ""}} {
		a := &App{cfg: parse("seen", c.more), node: cln.NewClient(filepath.Join(dir, "seen"))}
		err := a.checkNode(t.Context())
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: %v, want %q", c.more, err, c.want)
		}
		a.node.Close()
	}
}

func until(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never came to this")
		}
	}
}

// lines is a log.
type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(b)
}

func (l *lines) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.Buffer.String(), s)
}
