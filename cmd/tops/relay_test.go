package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/internal/testnet"
	"github.com/el-tor/tops/internal/tor"
	"github.com/rogpeppe/go-internal/testscript"
)

// operators are what two operators have written in their torrc. The first runs an
// exit for one port; the second no exit, and no port for apps. A testing network
// relaxes two defaults, which an operator of a real relay has.
var operators = []struct{ name, torrc string }{
	{"exit", `ContactInfo Random Operator <op AT example dot org>
ExitRelay auto
ExitPolicy accept *:6667
ExitPolicy reject *:*
ExitPolicyRejectPrivate 1
ExitPolicyRejectLocalInterfaces 1
SocksPort 127.0.0.1:9250
SafeLogging 1
`},
	{"plain", `ContactInfo email:plain[]example.org ciissversion:2
ExitRelay auto
ExitPolicyRejectPrivate 1
ExitPolicyRejectLocalInterfaces 1
SafeLogging 1
`},
}

// setByTops are the options that a relay of tops sets.
const setByTops = "ContactInfo ExitPolicy ExitPolicyRejectLocalInterfaces ExitPolicyRejectPrivate ExitRelay"

// TestRelay sets relays up and takes it back, by the scripts in testdata/relay,
// against real tors of a private network.
func TestRelay(t *testing.T) {
	if os.Getenv(networkEnv) == "" {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestRelay$", "-test.v", "-test.timeout=5m")
		cmd.Env = append(os.Environ(), networkEnv+"=1")
		out, err := cmd.CombinedOutput()
		t.Logf("in a network namespace of its own:\n%s", out)
		if err != nil {
			t.Error(err)
		}
		return
	}
	network, err := testnet.Start(t.Context(), testnet.Options{Relays: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := network.Close(); err != nil {
			t.Error(err)
		}
	})
	relays := make(map[string]*testnet.Node)
	torrcs := make(map[string]torrc)
	for i, o := range operators {
		relays[o.name] = network.Relays[i]
		torrcs[o.name] = configure(t, network.Relays[i], o.torrc)
	}
	params := testscript.Params{
		Setup: func(env *testscript.Env) error {
			for name, n := range relays {
				upper := strings.ToUpper(name)
				env.Setenv(upper+"_TOR", "unix:"+n.ControlSocket)
				env.Setenv(upper+"_ADDRESS", n.Addr.String())
				env.Setenv(upper+"_RELAY", n.Fingerprint)
			}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			// options RELAY FILE: GETCONF of all that tops sets.
			"options": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(os.WriteFile(ts.MkAbs(args[1]), getConf(ts, relays[args[0]]), 0o600))
			},
			// await RELAY FILE: until GETCONF says the same.
			"await": func(ts *testscript.TestScript, _ bool, args []string) {
				want := ts.ReadFile(args[1])
				var got string
				eventually(ts, func() bool {
					got = string(getConf(ts, relays[args[0]]))
					return got == want
				}, func() string { return got })
			},
			// differ FILE FILE: in every option.
			"differ": func(ts *testscript.TestScript, _ bool, args []string) {
				one, other := byOption(ts.ReadFile(args[0])), byOption(ts.ReadFile(args[1]))
				for key, value := range one {
					if slices.Equal(value, other[key]) {
						ts.Fatalf("%s is %q in both", key, value)
					}
				}
			},
			// reload RELAY: SIGHUP, and tor has read its torrc again.
			"reload": func(ts *testscript.TestScript, _ bool, args []string) {
				n := relays[args[0]]
				reloads := func() int {
					text, err := os.ReadFile(n.LogPath)
					ts.Check(err)
					return strings.Count(string(text), "Received reload signal (hup)")
				}
				before := reloads()
				ts.Check(n.Reload())
				eventually(ts, func() bool { return reloads() > before })
			},
			// untouched RELAY: its torrc, bytes and time.
			"untouched": func(ts *testscript.TestScript, _ bool, args []string) {
				if now := readTorrc(ts, relays[args[0]]); now != torrcs[args[0]] {
					ts.Fatalf("torrc was touched: %v, and was %v", now, torrcs[args[0]])
				}
			},
			// socket FILE: until something listens.
			"socket": func(ts *testscript.TestScript, _ bool, args []string) {
				eventually(ts, func() bool {
					conn, err := net.Dial("unix", ts.MkAbs(args[0]))
					if err == nil {
						conn.Close()
					}
					return err == nil
				})
			},
			// eventually PATTERN COMMAND…: until its output has it, and it ends well.
			"eventually": func(ts *testscript.TestScript, _ bool, args []string) {
				want := regexp.MustCompile("(?m)" + args[0])
				var out []byte
				eventually(ts, func() bool {
					cmd := exec.CommandContext(t.Context(), args[1], args[2:]...)
					cmd.Dir = ts.Getenv("WORK")
					var err error
					out, err = cmd.CombinedOutput()
					return err == nil && want.Match(out)
				}, func() string { return string(out) })
			},
			// offers SOCKET N: so many are active.
			"offers": func(ts *testscript.TestScript, _ bool, args []string) {
				node := cln.NewClient(ts.MkAbs(args[0]))
				defer node.Close()
				all, err := node.ListOffers(t.Context())
				ts.Check(err)
				all = slices.DeleteFunc(all, func(o cln.Offer) bool { return !o.Active })
				if fmt.Sprint(len(all)) != args[1] {
					ts.Fatalf("%d offers are active: %v", len(all), all)
				}
			},
			// [!] here ADDRESS: an interface has it.
			"here": func(ts *testscript.TestScript, neg bool, args []string) {
				all, err := net.InterfaceAddrs()
				ts.Check(err)
				has := slices.ContainsFunc(all, func(a net.Addr) bool {
					p, err := netip.ParsePrefix(a.String())
					return err == nil && p.Addr().String() == args[0]
				})
				if has == neg {
					ts.Fatalf("the interfaces have %v", all)
				}
			},
		},
	}
	// One after the other: they share the machine's addresses.
	for _, o := range operators {
		t.Run(o.name, func(t *testing.T) {
			p := params
			p.Files = []string{filepath.Join("testdata", "relay", o.name+".txt")}
			testscript.Run(t, p)
		})
	}
}

// torrc is a configuration file as it lies there.
type torrc struct {
	text string
	at   time.Time
}

func readTorrc(t interface{ Fatalf(string, ...any) }, n *testnet.Node) torrc {
	path := filepath.Join(n.Dir, "torrc")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatalf("%v", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return torrc{string(text), info.ModTime()}
}

// configure writes an operator's lines into a relay's torrc, in the place of the
// network's own.
func configure(t *testing.T, n *testnet.Node, lines string) torrc {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(readTorrc(t, n).text) {
		key, _, _ := strings.Cut(line, " ")
		if !strings.Contains(lines, key+" ") {
			b.WriteString(line)
		}
	}
	if err := os.WriteFile(filepath.Join(n.Dir, "torrc"), []byte(b.String()+lines), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := n.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	return readTorrc(t, n)
}

func getConf(ts *testscript.TestScript, n *testnet.Node) []byte {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := tor.Dial(ctx, tor.Options{Address: n.ControlSocket})
	ts.Check(err)
	defer conn.Close()
	reply, err := conn.Do(ctx, "GETCONF "+setByTops)
	ts.Check(err)
	var b strings.Builder
	for _, line := range reply.Lines {
		b.WriteString(line.Text + "\n")
	}
	return []byte(b.String())
}

func byOption(text string) map[string][]string {
	m := make(map[string][]string)
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, "=")
		m[key] = append(m[key], value)
	}
	return m
}

func eventually(ts *testscript.TestScript, ok func() bool, explain ...func() string) {
	deadline := time.Now().Add(60 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			more := ""
			for _, f := range explain {
				more += "\n" + f()
			}
			ts.Fatalf("waited for a minute%s", more)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
