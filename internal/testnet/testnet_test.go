//go:build linux

package testnet_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cretz/bine/control"
	"go.uber.org/goleak"
	"golang.org/x/net/proxy"
	"golang.org/x/sys/unix"

	"github.com/el-tor/tops/internal/testnet"
)

// childEnv makes the test binary start a network, print the process ids of its
// nodes, and wait to be killed.
const childEnv = "TESTNET_TEST_CHILD"

func TestMain(m *testing.M) {
	if err := testnet.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if os.Getenv(childEnv) != "" {
		child()
	}
	goleak.VerifyTestMain(m)
}

func child() {
	n, err := testnet.Start(context.Background(), testnet.Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, node := range append(n.Relays, n.Authority) {
		fmt.Println(node.Pid())
	}
	fmt.Println("ready")
	select {}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	n, err := testnet.Start(t.Context(), testnet.Options{Exits: 1, Clients: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("ready after %v", time.Since(begin).Round(time.Millisecond))
	client, exit := n.Clients[0], n.Relays[2]

	t.Run("circuit", func(t *testing.T) {
		conn := controlConn(t, client)
		status := make(chan control.Event, 100)
		if err := conn.AddEventListener(status, control.EventCodeCircuit); err != nil {
			t.Fatal(err)
		}
		id, err := conn.ExtendCircuit("0", []string{n.Relays[1].Fingerprint, n.Relays[0].Fingerprint, n.Authority.Fingerprint}, "")
		if err != nil {
			t.Fatal(err)
		}
		waitEvent(t, conn, status, func(e control.Event) bool {
			c := e.(*control.CircuitEvent)
			if c.CircuitID == id && (c.Status == "FAILED" || c.Status == "CLOSED") {
				t.Fatalf("circuit %s: %s", id, c.Raw)
			}
			return c.CircuitID == id && c.Status == "BUILT"
		})
	})

	t.Run("ordinary exit", func(t *testing.T) {
		server := netip.MustParseAddr("8.8.4.4")
		for range 2 { // the second time is no error
			if err := testnet.AddAddress(server); err != nil {
				t.Fatal(err)
			}
		}
		ln, err := net.Listen("tcp", netip.AddrPortFrom(server, 80).String())
		if err != nil {
			t.Fatal(err)
		}
		web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr) })}
		go web.Serve(ln)
		defer web.Close()

		dialer, err := proxy.SOCKS5("tcp", client.SocksAddr, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		transport := &http.Transport{DialContext: dialer.(proxy.ContextDialer).DialContext, DisableKeepAlives: true}
		answer, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second}).Get("http://8.8.4.4/")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		from, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		if host, _, _ := net.SplitHostPort(string(from)); host != exit.Addr.String() {
			t.Errorf("the server saw %q, want the exit, %s", from, exit.Addr)
		}
	})

	t.Run("reload forgets SETCONF", func(t *testing.T) {
		conn := controlConn(t, n.Relays[0])
		signals := make(chan control.Event, 10)
		if err := conn.AddEventListener(signals, control.EventCodeSignal); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetConf(control.KeyVals("ContactInfo", "someone")...); err != nil {
			t.Fatal(err)
		}
		if err := n.Relays[0].Reload(); err != nil {
			t.Fatal(err)
		}
		waitEvent(t, conn, signals, func(e control.Event) bool { return e.(*control.SignalEvent).Raw == "RELOAD" })
		if got, err := conn.GetConf("ContactInfo"); err != nil || len(got) != 1 || got[0].Val != "" {
			t.Errorf("GETCONF ContactInfo = %v, %v; want it empty", got, err)
		}
	})

	t.Run("stop and start", func(t *testing.T) {
		before := client.Pid()
		if err := client.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := client.Reload(); err == nil {
			t.Error("Reload of a stopped node: no error")
		}
		if err := client.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := client.Start(t.Context()); err == nil {
			t.Error("Start of a running node: no error")
		}
		if client.Pid() == before || client.Pid() == 0 {
			t.Errorf("pid %d after %d, want a new process", client.Pid(), before)
		}
		controlConn(t, client)
	})
}

// No tor outlives a parent that is killed.
func TestParentKilled(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=1", "TOPS_NETNS=") // a namespace of its own
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })

	var nodes []unix.PollFd
	scanner := bufio.NewScanner(out)
	for scanner.Scan() && scanner.Text() != "ready" {
		pid, err := strconv.Atoi(scanner.Text())
		if err != nil {
			t.Fatalf("the child said %q", scanner.Text())
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		nodes = append(nodes, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	if len(nodes) != 4 {
		t.Fatalf("the child has %d nodes, want 4", len(nodes))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	for _, node := range nodes {
		if n, err := unix.Poll([]unix.PollFd{node}, 5000); n != 1 {
			t.Errorf("a node lives 5 s after its parent was killed (%v)", err)
		}
	}
}

// A relay tells the authority of itself once: none is started before that listens.
func TestAuthorityFirst(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "tor")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ntouch $2.seen\nsleep 1\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if n, err := testnet.Start(t.Context(), testnet.Options{Tor: script, Dir: dir}); err == nil {
		n.Close()
		t.Fatal("no error")
	}
	if seen, _ := filepath.Glob(filepath.Join(dir, "*", "*.seen")); len(seen) != 1 || filepath.Base(filepath.Dir(seen[0])) != "authority" {
		t.Errorf("started: %q, want the authority alone", seen)
	}
}

func TestStartErrors(t *testing.T) {
	script := filepath.Join(t.TempDir(), "tor")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho '[err] cannot bind to the moon'\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := map[string]struct {
		ctx     context.Context
		options testnet.Options
		env     string // overrides TOPS_NETNS
		want    []string
	}{
		"tor ends":            {t.Context(), testnet.Options{Tor: script}, "", []string{"ended while it started", "exit status 3", "cannot bind to the moon"}},
		"no tor":              {t.Context(), testnet.Options{Tor: "/nonexistent/tor"}, "", []string{"/nonexistent/tor", "apt-get install tor"}},
		"canceled":            {canceled, testnet.Options{}, "", []string{"context canceled"}},
		"more exits":          {t.Context(), testnet.Options{Relays: 1, Exits: 2}, "", []string{"2 of them exits"}},
		"outside a namespace": {t.Context(), testnet.Options{}, "net:[0]", []string{"call Enter first"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.env != "" {
				t.Setenv("TOPS_NETNS", test.env)
			}
			n, err := testnet.Start(test.ctx, test.options)
			if err == nil {
				n.Close()
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q, want it to hold %q", err, want)
				}
			}
		})
	}
}

// Without the privilege Enter says what is needed.
func TestEnterUnprivileged(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TOPS_NETNS=")
	var out []byte
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		// What this thread gives up for its children ends with it: it is
		// never unlocked.
		runtime.LockOSThread()
		if err = unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_ADMIN, 0, 0, 0); err == nil {
			out, err = cmd.CombinedOutput()
		}
	}()
	<-done
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !strings.Contains(string(out), "run as root") {
		t.Errorf("%v, %q; want what is needed", err, out)
	}
}

func controlConn(t *testing.T, node *testnet.Node) *control.Conn {
	t.Helper()
	sock, err := net.Dial("unix", node.ControlSocket)
	if err != nil {
		t.Fatal(err)
	}
	conn := control.NewConn(textproto.NewConn(sock))
	t.Cleanup(func() { conn.Close() })
	if err := conn.Authenticate(""); err != nil {
		t.Fatal(err)
	}
	return conn
}

// waitEvent reads events until one is wanted.
func waitEvent(t *testing.T, conn *control.Conn, events <-chan control.Event, wanted func(control.Event) bool) {
	t.Helper()
	for {
		if err := conn.HandleNextEvent(); err != nil {
			t.Fatal(err)
		}
		for len(events) > 0 {
			if wanted(<-events) {
				return
			}
		}
	}
}
