package eltor_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/eltor/eltorsim"
	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

// envConfig names the configuration of a tops that this binary starts of itself.
const envConfig = "ELTOR_TOPS"

func TestMain(m *testing.M) {
	file := os.Getenv(envConfig)
	if file == "" {
		goleak.VerifyTestMain(m)
		return
	}
	cfg, err := config.Load(file)
	if err == nil {
		err = app.Run(context.Background(), cfg, app.Options{Version: "test", Log: zerolog.New(os.Stderr).With().Timestamp().Logger()})
	}
	fmt.Fprintln(os.Stderr, "a process of tops ended by itself:", err)
	os.Exit(1)
}

// world is doubles of El Tor's tor, nodes with play money, and tops in front of
// some of them.
type world struct {
	*eltorsim.World
	dir   string
	nodes *clnsim.World
	log   *logBuffer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	tors, err := eltorsim.NewWorld()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{World: tors, dir: t.TempDir(), nodes: clnsim.NewWorld(clnsim.Options{}), log: &logBuffer{}}
	t.Cleanup(w.nodes.Close)
	t.Cleanup(func() {
		if err := tors.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the log:\n%s", w.log.String())
		}
	})
	return w
}

// node starts a Lightning node and returns its socket.
func (w *world) node(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(w.dir, name+"-rpc")
	if err := w.nodes.AddNode(name, clnsim.NodeOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := w.nodes.Start(name, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func (w *world) tor(t *testing.T, add func() (*eltorsim.Tor, error)) *eltorsim.Tor {
	t.Helper()
	tor, err := add()
	if err != nil {
		t.Fatal(err)
	}
	return tor
}

// relay adds a double of a relay.
func (w *world) relay(t *testing.T, name string, dialect rune, lines ...string) *eltorsim.Tor {
	return w.tor(t, func() (*eltorsim.Tor, error) { return w.AddRelay(name, dialect, lines...) })
}

// client adds a double of a client.
func (w *world) client(t *testing.T, dialect rune) *eltorsim.Tor {
	return w.tor(t, func() (*eltorsim.Tor, error) { return w.AddClient(dialect) })
}

// tops is one that runs.
type tops struct {
	name string
	cfg  *config.Config
	app  *app.App // nil in a process of its own
	stop func()
}

// configure writes a configuration; more is the tables of its roles.
func (w *world) configure(t *testing.T, name string, tor *eltorsim.Tor, rpc, more string) (file string, cfg *config.Config) {
	t.Helper()
	file = filepath.Join(w.dir, name+".toml")
	text := fmt.Sprintf(`data_dir = %q
[tor]
control = "unix:%s"
[lightning]
rpc = %q
%s`, filepath.Join(w.dir, name), tor.Address, rpc, more)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return file, cfg
}

// process is run in a process of its own, which stop kills.
func (w *world) process(t *testing.T, name string, tor *eltorsim.Tor, rpc, more string) *tops {
	t.Helper()
	file, cfg := w.configure(t, name, tor, rpc, more)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env, cmd.Stderr = append(os.Environ(), envConfig+"="+file), w.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	x := &tops{name: name, cfg: cfg, stop: sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})}
	t.Cleanup(x.stop)
	until(t, name+" to run", 20*time.Second, func() bool {
		_, err := app.AskStatus(t.Context(), cfg)
		return err == nil
	})
	return x
}

// run starts tops in front of a tor; more is the tables of its roles.
func (w *world) run(t *testing.T, name string, tor *eltorsim.Tor, rpc, more string) *tops {
	t.Helper()
	_, cfg := w.configure(t, name, tor, rpc, more)
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	x := &tops{name: name, cfg: cfg}
	go func() {
		ended <- app.Run(ctx, cfg, app.Options{Version: "test", Log: zerolog.New(w.log).With().Timestamp().Str("who", name).Logger(), Running: func(a *app.App) { x.app = a; close(ready) }})
	}()
	x.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("%s ended with: %v", name, err)
			}
		case <-time.After(40 * time.Second):
			t.Errorf("%s does not end", name)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		t.Fatalf("%s ended at once: %v", name, err)
	case <-time.After(20 * time.Second):
		cancel()
		t.Fatalf("%s is not ready", name)
	}
	t.Cleanup(x.stop)
	return x
}

// serving waits until a relay with tops listens and has published what it asks.
func serving(t *testing.T, relay *eltorsim.Tor) {
	t.Helper()
	until(t, "the relay to serve", 5*time.Second, func() bool { return relay.Listeners() > 0 && len(relay.Lines()) > 0 })
}

// status asks a running tops.
func (x *tops) status(t *testing.T) app.Status {
	t.Helper()
	st, err := app.AskStatus(t.Context(), x.cfg)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// until waits for a condition.
func until(t *testing.T, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", limit, what)
		}
	}
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// inBooks is why the one pay stream in the books of a relay ended.
func (w *world) inBooks(t *testing.T, x *tops) (why paystream.Reason) {
	t.Helper()
	books, err := ledger.OpenReader(t.Context(), filepath.Join(w.dir, x.name, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer books.Close()
	until(t, "the books to know", 5*time.Second, func() bool {
		rows, err := books.PayStreams(t.Context(), ledger.Filter{})
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		why = rows[0].Reason
		return why != ""
	})
	return why
}
