package proxy_test

import (
	"context"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/proxy"
)

func TestListenUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	addr := "unix:" + path
	mode := func() fs.FileMode {
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return fi.Mode().Perm()
	}
	ln, err := proxy.Listen(addr, proxy.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if mode() != 0o600 {
		t.Errorf("mode %v, want 0600", mode())
	}
	if _, err := proxy.Listen(addr, proxy.ListenOptions{}); err == nil || !strings.Contains(err.Error(), "another process listens") {
		t.Errorf("a second listener: %v", err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false) // as after SIGKILL
	ln.Close()
	ln, err = proxy.Listen(addr, proxy.ListenOptions{Mode: 0o660})
	if err != nil {
		t.Fatalf("a stale socket: %v", err)
	}
	if mode() != 0o660 {
		t.Errorf("mode %v, want 0660", mode())
	}
	ln.Close()
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := proxy.Listen(addr, proxy.ListenOptions{}); err == nil {
		t.Error("a file was taken for a stale socket")
	}
	if b, _ := os.ReadFile(path); string(b) != "x" {
		t.Error("the file is gone")
	}
}

func TestListenRefuses(t *testing.T) {
	for _, addr := range []string{"", "unix:", "unix:@abstract", "9051", ":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "unix:/nonexistent/dir/s"} {
		if ln, err := proxy.Listen(addr, proxy.ListenOptions{}); err == nil {
			ln.Close()
			t.Errorf("%q was accepted", addr)
		}
	}
	for _, addr := range []string{"127.0.0.1:0", "localhost:0"} {
		ln, err := proxy.Listen(addr, proxy.ListenOptions{})
		if err != nil {
			t.Errorf("%q: %v", addr, err)
			continue
		}
		ln.Close()
	}
	ln, err := proxy.Listen("0.0.0.0:0", proxy.ListenOptions{AllowRemote: true})
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
}

// tor may be restarting when a controller comes.
func TestDialerRetries(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	type result struct {
		conn net.Conn
		err  error
	}
	got := make(chan result)
	go func() {
		conn, err := proxy.Dialer("unix:" + path)(ctx)
		got <- result{conn, err}
	}()
	select {
	case <-got:
		t.Fatal("nobody listens yet")
	case <-time.After(30 * time.Millisecond):
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	r := <-got
	if r.err != nil {
		t.Fatal(r.err)
	}
	r.conn.Close()
}

// The test runs itself with two sockets passed as systemd does.
func TestListenSystemd(t *testing.T) {
	if os.Getenv("TOPS_TEST_SYSTEMD") != "" {
		os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
		if ln, err := proxy.Listen("systemd:other", proxy.ListenOptions{}); err == nil {
			ln.Close()
			t.Error("a socket that was not passed")
		}
		if ln, err := proxy.Listen("systemd:remote", proxy.ListenOptions{}); err == nil {
			ln.Close()
			t.Error("a socket that other machines reach")
		}
		ln, err := proxy.Listen("systemd:control", proxy.ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		return
	}
	file := func(addr string) *os.File {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		f, err := ln.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		if addr != "127.0.0.1:0" {
			return f
		}
		conn, err := net.Dial("tcp", ln.Addr().String()) // waits in the backlog
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return f
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestListenSystemd$")
	cmd.ExtraFiles = []*os.File{file("0.0.0.0:0"), file("127.0.0.1:0")}
	cmd.Env = append(os.Environ(), "TOPS_TEST_SYSTEMD=1", "LISTEN_FDS=2", "LISTEN_FDNAMES=remote:control")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := proxy.Listen("systemd:control", proxy.ListenOptions{}); err == nil {
		t.Error("sockets that were passed to nobody")
	}
}
