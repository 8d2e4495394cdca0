//go:build world

package pages_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/pages"
	"github.com/el-tor/tops/internal/testnet"
)

// networkEnv has the test binary run in a network namespace of its own.
const networkEnv = "TOPS_TEST_NETWORK"

// outside is a web server with an address that a gateway may connect to.
var outside = netip.MustParseAddr("192.31.196.10")

func TestMain(m *testing.M) {
	if os.Getenv(networkEnv) != "" {
		if err := testnet.Enter(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// TestWalk follows the pages on two machines of a private Tor network.
func TestWalk(t *testing.T) {
	if os.Getenv(networkEnv) == "" {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestWalk$", "-test.v", "-test.timeout=5m")
		cmd.Env = append(os.Environ(), networkEnv+"=1")
		out, err := cmd.CombinedOutput()
		t.Logf("in a network namespace of its own:\n%s", out)
		if err != nil {
			t.Error(err)
		}
		return
	}
	sim := simulator(t)
	serve(t)
	network, err := testnet.Start(t.Context(), testnet.Options{Relays: 4, Clients: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := network.Close(); err != nil {
			t.Error(err)
		}
	})
	operate(t, network.Relays[2])
	relay := newMachine(t, network.Relays[2], filepath.Join(sim, "payee-rpc"))
	relay.link(t, network.Relays[3].ControlSocket, "run/tor-instances/second/control")
	machines := map[string]*machine{"relay": relay, "client": newMachine(t, network.Clients[0], filepath.Join(sim, "payer-rpc"))}

	all := read(t)
	for i, s := range walk {
		name := fmt.Sprintf("%02d %s: %s%s%s", i+1, s.on, s.text, s.stop, s.toml)
		if !t.Run(name, func(t *testing.T) {
			if s.toml != "" {
				m := machines[s.on]
				if err := os.WriteFile(filepath.Join(m.root, "home/me/tops.toml"), []byte(toml(t, all, s)), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			machines[s.on].do(t, s)
		}) {
			t.Fatal("whoever follows the pages is stuck here")
		}
	}
}

// simulator runs nodes payer and payee; their sockets are in the directory.
func simulator(t *testing.T) string {
	dir, err := os.MkdirTemp("", "sim")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cmd := exec.Command(tops(t), "sim", "--dir", dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("unix", filepath.Join(dir, "payer-rpc"))
		if err == nil {
			conn.Close()
			return dir
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// serve is a web server that is not of this machine, for the relays.
func serve(t *testing.T) {
	o, err := testnet.NewOutside(outside)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := o.Listen("tcp", netip.AddrPortFrom(outside, 80).String())
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here I am\n") })}
	go srv.Serve(ln)
	t.Cleanup(func() {
		srv.Close()
		o.Close()
	})
}

// operate gives a relay what an operator's torrc has and a testing network's has not.
func operate(t *testing.T, n *testnet.Node) {
	file := filepath.Join(n.Dir, "torrc")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "SocksPort ") {
			b.WriteString(line)
		}
	}
	b.WriteString("SocksPort 127.0.0.1:9250\nContactInfo operator AT example dot org\n")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := n.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// toml is the block of a page that has a text.
func toml(t *testing.T, all []pages.Page, s step) string {
	for _, p := range all {
		for _, b := range p.Blocks {
			if p.Path == s.page && b.Lang == "toml" && strings.Contains(b.Text, s.toml) {
				return b.Text
			}
		}
	}
	t.Fatalf("%s has no toml with %q", s.page, s.toml)
	return ""
}
