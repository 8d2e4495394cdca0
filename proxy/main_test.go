package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/proxy"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for something that ought to happen at once.
const patience = 20 * time.Second

// realTor is a tor of our own, without network.
type realTor struct {
	unix, tcp, cookie string
}

// startTor starts one with the options given, each "Key Value".
func startTor(t testing.TB, options ...string) realTor {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil { // or tor makes no socket there
		t.Fatal(err)
	}
	r := realTor{unix: filepath.Join(dir, "control"), cookie: filepath.Join(dir, "data", "control_auth_cookie")}
	torrc := append([]string{
		"DataDirectory " + filepath.Join(dir, "data"), "ControlSocket " + r.unix, "ControlPort 127.0.0.1:auto",
		"ControlPortWriteToFile " + filepath.Join(dir, "port"), "DisableNetwork 1", "SocksPort 0", "Log err file " + filepath.Join(dir, "log"),
	}, options...)
	file := filepath.Join(dir, "torrc")
	if err := os.WriteFile(file, []byte(strings.Join(torrc, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("tor", "-f", file, "--defaults-torrc", filepath.Join(dir, "none"), "--ignore-missing-torrc", "--quiet")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("tor is needed: %v", err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := proxy.Dialer("unix:" + r.unix)(ctx)
	if err != nil {
		t.Fatalf("tor does not start: %v", err)
	}
	conn.Close()
	port := waitFile(t, filepath.Join(dir, "port"))
	r.tcp = strings.TrimSpace(strings.TrimPrefix(string(port), "PORT="))
	return r
}

// waitFile waits until there is something in a file, and returns it. tor puts
// its files in place by renaming them.
func waitFile(t testing.TB, name string) []byte {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if b, err := os.ReadFile(name); err == nil && len(b) > 0 {
			return b
		}
		if time.Now().After(deadline) {
			t.Fatalf("tor does not write %s", name)
		}
	}
}

// fakeTor answers each command with what answer returns; "" says nothing and
// nil closes. It serves one unix socket until the test ends.
type fakeTor struct {
	addr string

	mu    sync.Mutex
	conns []net.Conn // guarded by mu
}

func startFakeTor(t testing.TB, answer func(controlspec.Command) string) *fakeTor {
	t.Helper()
	f := &fakeTor{addr: filepath.Join(t.TempDir(), "tor")}
	ln, err := net.Listen("unix", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		ln.Close()
		f.hangUp()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns = append(f.conns, conn)
			f.mu.Unlock()
			wg.Go(func() {
				defer conn.Close()
				r := controlspec.NewCommandReader(conn)
				for {
					cmd, err := r.ReadCommand()
					if err != nil {
						return
					}
					if _, err := conn.Write([]byte(answer(cmd))); err != nil || cmd.Name == "QUIT" {
						return
					}
				}
			})
		}
	})
	return f
}

// say writes to every controller of the fake.
func (f *fakeTor) say(t testing.TB, s string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		if _, err := c.Write([]byte(s)); err != nil {
			t.Error(err)
		}
	}
}

func (f *fakeTor) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		c.Close()
	}
}

// ok is a tor that likes everything.
func ok(cmd controlspec.Command) string {
	switch cmd.Name {
	case "QUIT":
		return "250 closing connection\r\n"
	case "GETINFO":
		var b strings.Builder
		for _, k := range strings.Fields(cmd.Args) {
			fmt.Fprintf(&b, "250-%s=tor's\r\n", k)
		}
		return b.String() + "250 OK\r\n"
	}
	return "250 OK\r\n"
}

// serve runs srv on a unix socket until the test ends and returns its path.
func serve(t testing.TB, srv *proxy.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tops")
	ln, err := proxy.Listen("unix:"+path, proxy.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, srv, ln)
	return path
}

func serveOn(t testing.TB, srv *proxy.Server, ln net.Listener) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(patience):
			t.Error("Serve does not end with its context")
		}
	})
}

// controller is a connection to try things with.
type controller struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func dial(t testing.TB, path string) *controller {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return &controller{t, conn, bufio.NewReader(conn)}
}

func (c *controller) send(s string) {
	c.t.Helper()
	if _, err := c.Write([]byte(s)); err != nil {
		c.t.Fatal(err)
	}
}

// want reads as many bytes as s has and compares.
func (c *controller) want(s string) {
	c.t.Helper()
	got := make([]byte, 0, len(s))
	for len(got) < len(s) {
		b, err := c.r.ReadByte()
		if err != nil {
			c.t.Fatalf("got %q, then %v; want %q", got, err, s)
		}
		if got = append(got, b); b != s[len(got)-1] {
			more, _ := c.r.Peek(c.r.Buffered())
			c.t.Fatalf("got  %.2000q\nwant %.2000q", append(got, more...), s)
		}
	}
}

// wantEOF reads to the end and checks that nothing but s was left.
func (c *controller) wantEOF(s string) {
	c.t.Helper()
	c.want(s)
	if b, err := c.r.ReadByte(); err == nil {
		c.t.Fatalf("got %q and more, want the end", b)
	} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
		c.t.Fatal("the connection stays open")
	}
}

func (c *controller) ask(cmd, reply string) {
	c.t.Helper()
	c.send(cmd + "\r\n")
	c.want(reply)
}
