package plugin_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/internal/regtest"
	"github.com/el-tor/tops/internal/testnet"
)

type obj = map[string]any

// node is a Lightning node, as lightning-cli speaks to it.
type node struct {
	*testing.T
	*cln.Client
}

func (n node) must(method string, params obj) obj {
	n.Helper()
	var v obj
	if err := n.Call(n.Context(), method, params, &v); err != nil {
		n.Fatalf("%s: %v", method, err)
	}
	return v
}

// ready waits until tops runs: an error until then says so.
func (n node) ready() {
	n.Helper()
	n.until("tops to start", func() bool {
		err := n.Call(n.Context(), "tops-status", nil, nil)
		if err != nil && !strings.Contains(err.Error(), "starting") {
			n.Fatal(err)
		}
		return err == nil
	})
}

func (n node) until(what string, ok func() bool) {
	n.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			n.Fatalf("waited too long for %s", what)
		}
	}
}

// paystreams is what tops-paystreams shows, by handle.
func (n node) paystreams() map[string]obj {
	n.Helper()
	out := map[string]obj{}
	for _, p := range n.must("tops-paystreams", obj{})["paystreams"].([]any) {
		out[p.(obj)["handle"].(string)] = p.(obj)
	}
	return out
}

// A relay and a client, each a plugin of its own node, on a real tor network: on
// the simulator's nodes, and on real ones where they can be had.
func TestPlugin(t *testing.T) {
	net, err := testnet.Start(t.Context(), testnet.Options{Clients: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer net.Close()
	tops := build(t)
	t.Run("simulator", func(t *testing.T) {
		w := clnsim.NewWorld(clnsim.Options{PluginStderr: testWriter{t}})
		defer w.Close()
		payPlugin(t, net, net.Relays[2], tops, simulated(t, w, "payer"), simulated(t, w, "payee"))
		if err := w.Audit(); err != nil {
			t.Error(err)
		}
	})
	if regtest.Missing() == "" {
		t.Run("lightningd", func(t *testing.T) {
			n := regtest.Start(t, regtest.Options{})
			payPlugin(t, net, net.Relays[1], tops, reached(t, n.Payer.RPC), reached(t, n.Payee.RPC))
		})
	}
}

// simulated is a node of the simulator's.
func simulated(t *testing.T, w *clnsim.World, name string) node {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lightning-rpc")
	if err := w.AddNode(name, clnsim.NodeOptions{Faults: clnsim.Faults{UnlimitedOnion: true}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Start(name, path); err != nil {
		t.Fatal(err)
	}
	return reached(t, path)
}

func reached(t *testing.T, rpc string) node {
	c := cln.NewClient(rpc)
	t.Cleanup(func() { c.Close() })
	return node{t, c}
}

// payPlugin starts tops on both nodes, has a relay paid, and stops both.
func payPlugin(t *testing.T, net *testnet.Network, relay *testnet.Node, tops string, payer, payee node) {
	payee.must("plugin", obj{"subcommand": "start", "plugin": tops, "tops-role": "relay",
		"tops-tor-control": "unix:" + relay.ControlSocket, "tops-address": relay.Addr.String(),
		"tops-rate-msat": "1500", "tops-interval": "2s", "tops-grace": "2s"})
	payee.ready()
	if terms := payee.must("tops-terms", obj{})["terms"].(string); !strings.Contains(terms, "topsrelay:"+relay.Fingerprint) || !strings.Contains(terms, "topsratemsat:1500 topsintervalsec:2 ") {
		t.Errorf("terms %q", terms)
	}
	payer.must("plugin", obj{"subcommand": "start", "plugin": tops, "tops-role": "client",
		"tops-tor-control": "unix:" + net.Clients[0].ControlSocket, "tops-socks": "127.0.0.1:9150",
		"tops-relays": relay.Fingerprint, "tops-guards": net.Relays[0].Fingerprint})
	payer.ready()
	payer.until("the relay's terms", func() bool { // by then its tor lets streams to the gateway
		relays := payer.must("tops-relays", obj{})["relays"].([]any)
		if len(relays) != 1 {
			return false
		}
		terms, _ := relays[0].(obj)["terms"].(string)
		return strings.Contains(terms, "topsintervalsec:2 ")
	})

	paid := payer.must("tops-pay", obj{})
	if path := paid["path"].([]any); len(path) != 3 || path[2] != relay.Fingerprint {
		t.Errorf("path %v", path)
	}
	var handle string
	payee.until("a payment", func() bool {
		for h, p := range payee.paystreams() {
			if p["paid_msat"].(float64) >= 1500 && p["role"] == "payee" {
				handle = h
			}
		}
		return handle != ""
	})
	if p := payer.paystreams()[handle]; p["role"] != "payer" || p["circuit"] != paid["circuit"] {
		t.Errorf("the payer has it as %v", p)
	}
	for _, n := range []node{payer, payee} {
		if s := n.must("tops-paystream", obj{"handle": handle}); len(s) == 0 {
			t.Error("no story")
		}
	}
	if totals := payee.must("tops-ledger", obj{"limit": 5})["totals"].(obj); totals["earned_msat"].(float64) < 1500 {
		t.Errorf("books: %v", totals)
	}
	payer.must("tops-stop", obj{"handle": handle})
	payee.until("the end of the pay stream", func() bool { return payee.paystreams()[handle]["status"] == "CLOSED" })

	for _, n := range []node{payer, payee} {
		began := time.Now()
		n.must("plugin", obj{"subcommand": "stop", "plugin": "tops"})
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v to stop", took)
		}
		if err := n.Call(t.Context(), "tops-status", nil, nil); !cln.HasCode(err, cln.CodeUnknownMethod) {
			t.Errorf("after the stop: %v", err)
		}
	}
}

// What is wrong with a configuration or a call is said, and the protocol outlives
// it.
func TestPluginSaysWhatIsWrong(t *testing.T) {
	tops := build(t)
	t.Run("simulator", func(t *testing.T) {
		w := clnsim.NewWorld(clnsim.Options{PluginStderr: testWriter{t}})
		defer w.Close()
		complain(t, tops, simulated(t, w, "alice"))
	})
	if regtest.Missing() == "" {
		t.Run("lightningd", func(t *testing.T) {
			complain(t, tops, reached(t, regtest.Start(t, regtest.Options{}).Payee.RPC))
		})
	}
}

func complain(t *testing.T, tops string, n node) {
	for _, tt := range []struct {
		options obj
		want    string
	}{
		{obj{"tops-role": "relay", "tops-rate-msat": "much"}, `option tops-rate-msat: relay.rate_msat: "much" is not a whole number`},
		{obj{"tops-rate-msat": "1000"}, "option tops-rate-msat is for the role relay: set tops-role too"},
		{obj{"tops-role": "guard"}, `"guard" is neither client nor relay`},
		{obj{"tops-config": "/nowhere/tops.toml"}, "no such file"},
		{obj{"tops-role": "client", "tops-relays": "moria1"}, "is not a relay fingerprint"},
	} {
		params := obj{"subcommand": "start", "plugin": tops}
		for k, v := range tt.options {
			params[k] = v
		}
		err := n.Call(t.Context(), "plugin", params, nil)
		// lightningd repeats what a plugin says as it stood between its quotes.
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), `\"`, `"`), tt.want) {
			t.Errorf("%v: %v, want %s", tt.options, err, tt.want)
		}
	}
	// Without a role there is only the proxy, and it needs no tor to start.
	n.must("plugin", obj{"subcommand": "start", "plugin": tops})
	n.ready()
	help := n.must("help", obj{"command": "tops-paystream"})["help"].([]any)[0].(obj)
	if help["command"] != "tops-paystream handle" {
		t.Errorf("help: %v", help)
	}
	for _, c := range n.must("help", obj{})["help"].([]any) {
		name, _, _ := strings.Cut(c.(obj)["command"].(string), " ")
		if slices.Contains([]string{"init", "getmanifest", "shutdown", "invoice_payment"}, name) {
			t.Errorf("%s is a command of the node's now", name)
		}
	}
	for method, params := range map[string]any{
		"tops-pay": obj{"path": obj{"a": 1}}, "tops-ledger": obj{"limit": []int{1}}, "tops-paystream": obj{"handle": 12},
		"tops-stop": obj{}, "tops-terms": obj{"relay": obj{}}, "tops-relays": nil,
	} {
		if err := n.Call(t.Context(), method, params, nil); err == nil {
			t.Errorf("%s %v: no error", method, params)
		}
	}
	var v struct{ Version string }
	if err := n.Call(t.Context(), "tops-status", nil, &v); err != nil || v.Version == "" {
		t.Errorf("after all that: %+v, %v", v, err)
	}
}

// build makes the program.
func build(t *testing.T) string {
	t.Helper()
	tops := filepath.Join(t.TempDir(), "tops")
	if out, err := exec.Command("go", "build", "-o", tops, "../../cmd/tops").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return tops
}

// testWriter logs what plugins say.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Logf("plugin: %s", strings.TrimSpace(string(b)))
	return len(b), nil
}
