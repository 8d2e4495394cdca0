package clnsim_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/cln/clnsim"
)

// runPlugin is what this test binary does when a node starts it: it remembers what it hears, and tells when asked. It
// refuses payments whose label holds "refuse".
func runPlugin() {
	var heard []json.RawMessage
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var m struct {
			ID     json.RawMessage
			Method string
			Params json.RawMessage
		}
		if in.Decode(&m) != nil {
			return
		}
		var result any
		switch m.Method {
		case "getmanifest":
			result = obj{
				"dynamic": true, "options": []obj{{"name": "greeting", "type": "string", "default": "hello", "description": "d"}},
				"rpcmethods":    []obj{{"name": "heard", "usage": "[what]", "description": "d"}, {"name": "quit", "usage": "", "description": "d"}},
				"subscriptions": []string{"invoice_payment", "invoice_creation", "shutdown"}, "hooks": []any{obj{"name": "invoice_payment"}},
			}
		case "init":
			heard = append(heard, m.Params)
			result = obj{}
		case "heard":
			result = obj{"heard": heard}
		case "invoice_payment":
			if m.ID == nil {
				heard = append(heard, m.Params)
				continue
			}
			heard = append(heard, m.Params)
			result = obj{"result": map[bool]string{true: "reject", false: "continue"}[strings.Contains(string(m.Params), "refuse")]}
		case "invoice_creation":
			heard = append(heard, m.Params)
			continue
		case "shutdown", "quit":
			if path := os.Getenv("CLNSIM_TEST_FAREWELL"); path != "" && m.Method == "shutdown" {
				_ = os.WriteFile(path, nil, 0o600)
			}
			return
		}
		_ = out.Encode(obj{"jsonrpc": "2.0", "id": m.ID, "result": result})
	}
}

func TestPlugin(t *testing.T) {
	farewell := filepath.Join(t.TempDir(), "farewell")
	t.Setenv("CLNSIM_TEST_FAREWELL", farewell)
	w := newWorld(t, clnsim.Options{}, clnsim.NodeOptions{}, open)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if r := w.call("bob", "heard", obj{}); r.code() != -32601 {
		t.Errorf("before: %+v", r)
	}
	started := w.must("bob", "plugin", obj{"subcommand": "start", "plugin": self, "greeting": "good day"})
	if list := started.Result["plugins"].([]any); len(list) != 1 || list[0].(map[string]any)["active"] != true {
		t.Errorf("%v", started.Result)
	}
	if r := w.call("bob", "plugin", obj{"subcommand": "start", "plugin": self}); r.code() != -32602 {
		t.Errorf("twice: %+v", r)
	}
	if h := w.must("bob", "help", obj{"command": "heard"}).Result["help"].([]any); h[0].(map[string]any)["command"] != "heard [what]" {
		t.Errorf("help %v", h)
	}

	heard := func() string {
		return fmt.Sprint(w.must("bob", "heard", obj{}).Result["heard"])
	}
	if h := heard(); !strings.Contains(h, "greeting:good day") || !strings.Contains(h, "rpc-file:bob") || !strings.Contains(h, "lightning-dir:"+w.dir) {
		t.Errorf("init: %s", h)
	}
	w.must("alice", "xpay", obj{"invstring": w.fetch(w.offer("bob", "x"), 1000, "n")})
	for _, want := range []string{"map[invoice_creation:map[", "map[payment:map[", "map[invoice_payment:map["} {
		w.until("the plugin hears "+want, func() bool { return strings.Contains(heard(), want) })
	}
	refused := w.must("bob", "invoice", obj{"amount_msat": 1, "label": "refuse me", "description": "d"}).text("bolt11")
	if r := w.call("alice", "xpay", obj{"invstring": refused}); r.code() != 203 {
		t.Errorf("the hook rejects: %+v", r)
	}

	stopped := w.must("bob", "plugin", obj{"subcommand": "stop", "plugin": self})
	if !strings.HasPrefix(stopped.text("result"), "Successfully stopped ") {
		t.Errorf("%v", stopped.Result)
	}
	if _, err := os.Stat(farewell); err != nil {
		t.Error("the plugin was not told of its end")
	}
	if r := w.call("bob", "heard", obj{}); r.code() != -32601 {
		t.Errorf("after: %+v", r)
	}
	if r := w.call("bob", "plugin", obj{"subcommand": "stop", "plugin": self}); r.code() != -32602 {
		t.Errorf("stop twice: %+v", r)
	}
	w.audit()
}

func TestPluginTrouble(t *testing.T) {
	w := newWorld(t, clnsim.Options{}, clnsim.NodeOptions{}, open)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if r := w.call("bob", "plugin", obj{"subcommand": "start", "plugin": "/bin/false"}); r.code() != -1 {
		t.Errorf("one that ends at once: %+v", r)
	}
	if r := w.call("bob", "plugin", obj{"subcommand": "start", "plugin": self, "nosuch": 1}); r.code() != -1 {
		t.Errorf("an option that it does not have: %+v", r)
	}
	w.must("bob", "plugin", obj{"subcommand": "start", "plugin": self})
	if r := w.call("bob", "quit", obj{}); r.code() != -1 {
		t.Errorf("it ends instead of answering: %+v", r)
	}
	if l := w.must("bob", "plugin", obj{"subcommand": "list"}).Result["plugins"].([]any); len(l) != 0 {
		t.Errorf("%v", l)
	}
	w.must("bob", "plugin", obj{"subcommand": "start", "plugin": self}) // and the end of the world ends it
}

// until waits for a condition that nothing announces.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("it never came to this: %s", what)
		}
	}
}
