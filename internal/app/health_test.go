package app

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/internal/client"
	"github.com/el-tor/tops/internal/config"
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
