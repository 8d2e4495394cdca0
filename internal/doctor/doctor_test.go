package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/relay"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// said are the findings of one check, as text.
func said(all []Finding, check string) string {
	var b strings.Builder
	for _, f := range all {
		if f.Check == check {
			fmt.Fprintf(&b, "%s: %s → %s\n", f.State, f.What, f.Do)
		}
	}
	return b.String()
}

// TestNodes looks at nodes in several conditions, and at a tor that is not there.
func TestNodes(t *testing.T) {
	const client, payee = "client", "relay"
	for _, c := range []struct {
		name  string
		role  string
		node  clnsim.NodeOptions
		off   bool
		set   []string
		check string
		want  []string // in what is said
		sick  bool     // because of this check
	}{
		{name: "a payer that shows itself", role: client, node: clnsim.NodeOptions{Exposed: true},
			check: "privacy", want: []string{"problem: the node would connect straight", "fetchinvoice-noconnect"}, sick: true},
		{name: "a payer that may show itself", role: client, node: clnsim.NodeOptions{Exposed: true}, set: []string{"lightning.allow_reveal=true"},
			check: "privacy", want: []string{"warning: the node may connect straight"}},
		{name: "a payer that does not", role: client, check: "privacy", want: []string{"ok: "}},
		{name: "a payer with little", role: client, node: clnsim.NodeOptions{OutMsat: 1000},
			check: "liquidity", want: []string{"problem: 1 sat can be spent, and one round may cost 5 sat"}, sick: true},
		{name: "a payer with less than a day's budget", role: client, node: clnsim.NodeOptions{OutMsat: 500_500},
			check: "liquidity", want: []string{"warning: 500.500 sat can be spent"}},
		{name: "a payee with little room", role: payee, node: clnsim.NodeOptions{InMsat: 5000},
			check: "liquidity", want: []string{"problem: 5 sat can be received, and one payment may be 10 sat"}, sick: true},
		{name: "a payee with some room", role: payee, node: clnsim.NodeOptions{InMsat: 5_000_000},
			check: "liquidity", want: []string{"warning: 5000 sat can be received; the 1000 pay streams that may begin at once bring 10000 sat"}},
		{name: "a payee with room", role: payee, check: "liquidity", want: []string{"ok: "}},
		{name: "few requests", role: payee, set: []string{"relay.interval=10s", "relay.grace=5s"},
			check: "invoice requests", want: []string{"warning: the node answers 4 invoice requests a second from each of its 1 peer: enough for about 40 pay streams that pay every 10s"}},
		{name: "a node without peers", role: payee, off: true,
			check: "lightning", want: []string{"problem: the node has no peers", "lightning-cli connect"}, sick: true},
		{name: "a node without a channel in use", role: payee, off: true,
			check: "liquidity", want: []string{"problem: no channel is in use"}, sick: true},
		{name: "play money", role: payee, check: "lightning", want: []string{"version v26.06.6", "warning: its network is regtest", "PLAY MONEY"}},
		{name: "no tor", role: payee, check: "tor", want: []string{"problem: nobody listens at unix:", "start tor"}, sick: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := socketDir(t)
			w := clnsim.NewWorld(clnsim.Options{})
			defer w.Close()
			rpc := filepath.Join(dir, "rpc")
			if err := w.AddNode("node", c.node); err != nil {
				t.Fatal(err)
			}
			if err := w.Start("node", rpc); err != nil {
				t.Fatal(err)
			}
			if err := w.SetOffline("node", c.off); err != nil {
				t.Fatal(err)
			}
			set := append([]string{"lightning.rpc=" + rpc, "data_dir=" + filepath.Join(dir, "data"), "tor.control=unix:" + filepath.Join(dir, "tor")}, c.set...)
			all := examine(t, c.role, set)
			got := said(all, c.check)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in\n%s", want, got)
				}
			}
			sick := slices.ContainsFunc(all, func(f Finding) bool { return f.Check == c.check && f.State == Problem })
			if sick != c.sick {
				t.Errorf("a problem: %v, want %v\n%s", sick, c.sick, got)
			}
			for _, f := range all {
				if f.What == "" || f.State != OK && f.State != Unchecked && f.Do == "" {
					t.Errorf("%+v: every finding says what, and what to do", f)
				}
			}
		})
	}
}

func socketDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "doctor") // short, for the paths of sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func examine(t *testing.T, role string, set []string) []Finding {
	t.Helper()
	l, err := config.New("", []string{role}, set)
	if err != nil {
		t.Fatal(err)
	}
	c := Open(t.Context(), l.Config)
	defer c.Close()
	return Examine(t.Context(), c)
}

func TestNoNode(t *testing.T) {
	dir := socketDir(t)
	all := examine(t, "client", []string{"lightning.rpc=" + filepath.Join(dir, "rpc"), "data_dir=" + dir, "tor.control=unix:" + filepath.Join(dir, "tor")})
	if got := said(all, "lightning"); !strings.Contains(got, "problem: nobody listens at ") || !strings.Contains(got, "start lightningd") {
		t.Error(got)
	}
	if !Sick(all) {
		t.Error("all is well, without a node")
	}
}

func TestExamineEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if all := Examine(ctx, &Case{Config: &config.Config{}}); len(all) != 0 {
		t.Errorf("found %v", all)
	}
}

func TestExitRules(t *testing.T) {
	me := relay.Identity{Addr: netip.MustParseAddr("203.0.113.9"), Own: []netip.Addr{netip.MustParseAddr("192.168.1.7"), netip.MustParseAddr("203.0.113.9")}}
	exit := me
	exit.WasExit = true
	const private = "reject 0.0.0.0/8:*\nreject 169.254.0.0/16:*\nreject 127.0.0.0/8:*\nreject 192.168.0.0/16:*\nreject 10.0.0.0/8:*\nreject 172.16.0.0/12:*\n" +
		"reject6 [::]/8:*\nreject6 [fc00::]/7:*\nreject6 [fe80::]/10:*\nreject6 [fec0::]/10:*\nreject6 [ff00::]/8:*\n"
	for _, c := range []struct {
		name, text string
		me         relay.Identity
		want       string // of the one thing that is wrong, empty if nothing is
	}{
		{"as it should be", "accept 203.0.113.9:9402\n" + private + "reject 203.0.113.9:*\nreject *4:*\nreject *6:*\n", me, ""},
		{"no gateway", private + "reject *:*", me, "rejects the gateway"},
		{"an exit by accident", "accept 203.0.113.9:9402\n" + private + "reject 203.0.113.9:*\naccept *:*", me, "though the relay was no exit before"},
		{"an exit as before", "accept 203.0.113.9:9402\n" + private + "reject 203.0.113.9:*\naccept *:443\nreject *:*", exit, ""},
		{"its own address open", "accept 203.0.113.9:9402\n" + private + "accept *:*", exit, "accepts 203.0.113.9:22, an address of this machine"},
		{"private addresses open", "accept 203.0.113.9:9402\nreject 192.168.1.7:*\nreject 203.0.113.9:*\nreject6 *6:*\naccept *:443\nreject *:*", exit, "a private address"},
	} {
		wrong, err := exitRules(c.text, c.me, 9402)
		switch {
		case err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want == "" && len(wrong) > 0, c.want != "" && (len(wrong) == 0 || !strings.Contains(wrong[0], c.want)):
			t.Errorf("%s: %q, want %q", c.name, wrong, c.want)
		}
	}
}

func TestVersionNumber(t *testing.T) {
	order := []string{"0.4.6.10", "0.4.7.16 (git-abc)", "0.4.8", "0.4.9.11", "v24.02.2", "v24.11", "basedon-v24.11.1-rc2", "v25.09rc1", "v25.09.3", "v26.06.6-clnsim"}
	for i := 1; i < len(order); i++ {
		if a, b := versionNumber(order[i-1]), versionNumber(order[i]); a > b {
			t.Errorf("%s is %d, %s is %d", order[i-1], a, order[i], b)
		}
	}
	if versionNumber("v25.09") < versionNumber(recommendedNode) || versionNumber("v25.08.1") >= versionNumber(recommendedNode) {
		t.Error("25.09 is what is recommended, 25.08.1 is older")
	}
	if versionNumber("no version") != 0 {
		t.Error("no version is not the oldest")
	}
}

func TestRevealed(t *testing.T) {
	for _, c := range []struct {
		r    Revealed
		want string
	}{
		{Revealed{NodeID: "02abcdef0123456789"}, "names the node, 02abcdef01234567…, in clear"},
		{Revealed{NodeID: "02ab", Fronts: []string{"03cd"}}, "in clear, and 1 blinded path to it"},
		{Revealed{Fronts: []string{"03cd", "03ef"}}, "hides the node behind 2 blinded paths, beginning at 03cd"},
	} {
		if got := c.r.String(); !strings.Contains(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.r, got, c.want)
		}
	}
}

// A node that does not remember the last payment in the books is told of.
func TestHistory(t *testing.T) {
	dir := socketDir(t)
	w := clnsim.NewWorld(clnsim.Options{})
	defer w.Close()
	for _, name := range []string{"payer", "node"} {
		if err := errors.Join(w.AddNode(name, clnsim.NodeOptions{}), w.Start(name, filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Backlog("payer", "node", 3, func(int) string { return "" }); err != nil {
		t.Fatal(err)
	}
	paid := w.Payments()[2]
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	books, err := ledger.Open(t.Context(), filepath.Join(data, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	at := paystream.Position{PayIndex: 3, PaymentHash: paid.Hash, PaidAt: paid.Ended}
	if _, err := books.CommitPayee(t.Context(), paystream.PayeeBatch{Position: at}); err != nil {
		t.Fatal(err)
	}
	if err := books.Close(); err != nil {
		t.Fatal(err)
	}
	set := []string{"lightning.rpc=" + filepath.Join(dir, "node"), "data_dir=" + data, "tor.control=unix:" + filepath.Join(dir, "tor")}
	if got := said(examine(t, "relay", set), "payments"); !strings.Contains(got, "ok: the node remembers the last one that is booked, its number 3") {
		t.Errorf("%q", got)
	}
	if err := w.Restore("node"); err != nil {
		t.Fatal(err)
	}
	if got := said(examine(t, "relay", set), "payments"); !strings.Contains(got, "warning: the node does not remember its number 3") || !strings.Contains(got, "→ start tops") {
		t.Errorf("%q", got)
	}
}
