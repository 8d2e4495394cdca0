//go:build eltor

package eltor_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/testnet"
)

// world is a network of the fork with processes of tops, which have play money.
type world struct {
	t    *testing.T
	net  *testnet.Network
	dir  string
	tops string // the program
}

// newWorld builds tops, unless TOPS names one, and starts a node for each name.
func newWorld(t *testing.T, network *testnet.Network, nodes string) *world {
	t.Helper()
	w := &world{t: t, net: network, dir: shortDir(t)}
	if w.tops = os.Getenv("TOPS"); w.tops == "" {
		w.tops = filepath.Join(w.dir, "tops")
		if out, err := exec.Command("go", "build", "-o", w.tops, "github.com/el-tor/tops/cmd/tops").CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	w.start("sim", "sim", "run", "--dir="+w.dir, "--nodes="+nodes)
	until(t, "the nodes", wait, func() bool {
		conn, err := net.Dial("unix", filepath.Join(w.dir, "control"))
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
	return w
}

// shortDir is a directory whose name leaves room for those of sockets.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(os.Getenv("ELTOR_DIR"), "eltor")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			logs, _ := filepath.Glob(filepath.Join(dir, "*.log"))
			for _, log := range logs {
				text, _ := os.ReadFile(log)
				t.Logf("%s:\n%s", filepath.Base(log), text[max(0, len(text)-4000):])
			}
		}
		if os.Getenv("ELTOR_DIR") == "" {
			os.RemoveAll(dir)
		}
	})
	return dir
}

// start runs the program until the test ends, and returns how to end it before.
func (w *world) start(name string, args ...string) (stop func()) {
	w.t.Helper()
	log, err := os.Create(filepath.Join(w.dir, name+".log"))
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(w.tops, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // nothing is left, whatever the test ends by
	began, ended := make(chan error, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the signal comes when the thread ends
		defer log.Close()
		err := cmd.Start()
		if began <- err; err == nil {
			ended <- cmd.Wait()
		}
	}()
	if err := <-began; err != nil {
		w.t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if err != nil && name != "sim" {
				w.t.Errorf("%s ended with: %v", name, err)
			}
		case <-time.After(40 * time.Second):
			cmd.Process.Kill()
			w.t.Errorf("%s does not end", name)
		}
	}
	w.t.Cleanup(stop)
	return stop
}

// A daemon is tops in front of one tor.
type daemon struct {
	w    *world
	cfg  *config.Config
	stop func()
	log  string
}

// run starts tops in front of a tor, with a node; more is the tables of its roles.
func (w *world) run(tor *testnet.Node, node, more string) *daemon {
	w.t.Helper()
	file := filepath.Join(w.dir, tor.Name+".toml")
	text := fmt.Sprintf("data_dir = %q\n[tor]\ncontrol = \"unix:%s\"\n[lightning]\nrpc = %q\n[web]\nlisten = \"\"\n%s",
		filepath.Join(w.dir, tor.Name), tor.ControlSocket, filepath.Join(w.dir, node+"-rpc"), more)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	cfg, err := config.Load(file)
	if err != nil {
		w.t.Fatal(err)
	}
	d := &daemon{w: w, cfg: cfg, log: filepath.Join(w.dir, tor.Name+".log")}
	d.stop = w.start(tor.Name, "run", "--log-level=debug", "--config="+file)
	until(w.t, "tops of "+tor.Name, 30*time.Second, func() bool {
		_, err := app.AskStatus(context.Background(), cfg)
		return err == nil
	})
	return d
}

// status asks it.
func (d *daemon) status() app.Status {
	d.w.t.Helper()
	st, err := app.AskStatus(context.Background(), d.cfg)
	if err != nil {
		d.w.t.Fatal(err)
	}
	return st
}

// said is its log.
func (d *daemon) said() string {
	text, err := os.ReadFile(d.log)
	if err != nil {
		d.w.t.Fatal(err)
	}
	return string(text)
}

// until waits for a condition.
func until(t *testing.T, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", limit, what)
		}
	}
}
