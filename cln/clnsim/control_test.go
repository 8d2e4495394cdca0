package clnsim_test

import (
	"context"
	"testing"
	"time"

	"github.com/el-tor/tops/cln/clnsim"
)

func TestControl(t *testing.T) {
	w := newWorld(t, clnsim.Options{}, clnsim.NodeOptions{}, open)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.ServeControl(ctx, w.path("control")) }()
	w.waitFor("control")

	w.must("control", "addnode", obj{"name": "carol", "path": w.path("carol")})
	if alias := w.must("carol", "getinfo", obj{}).text("alias"); alias != "PLAY MONEY carol" {
		t.Errorf("alias %q", alias)
	}
	if n := w.must("control", "nodes", obj{}).Result["nodes"].([]any); len(n) != 3 {
		t.Errorf("nodes %v", n)
	}
	set := w.must("control", "faults", obj{"node": "alice", "set": obj{"paydelay": "1ms", "failrate": "0.25", "hops": "1", "feebase": "7", "refuse": "true"}})
	faults := set.Result["faults"].(map[string]any)
	if faults["paydelay"] != "1ms" || faults["failrate"] != "0.25" || faults["refuse"] != "true" || len(faults) != len(clnsim.FaultNames()) {
		t.Errorf("faults %v", faults)
	}
	if f, err := w.Faults("alice"); err != nil || f.PayDelay != time.Millisecond || f.FeeBaseMsat != 7 || !f.Refuse {
		t.Errorf("faults %+v, %v", f, err)
	}
	for _, bad := range []obj{{"nosuch": "1"}, {"paydelay": "-1s"}, {"failrate": "2"}, {"hops": "x"}, {"refuse": "perhaps"}} {
		if r := w.call("control", "faults", obj{"node": "alice", "set": bad}); r.code() != -32602 {
			t.Errorf("%v: %+v", bad, r)
		}
	}
	if r := w.call("control", "outage", obj{"node": "nobody", "on": true}); r.code() != -32602 {
		t.Errorf("%+v", r)
	}
	if r := w.call("control", "getinfo", obj{}); r.code() != -32601 {
		t.Errorf("%+v", r)
	}

	w.must("control", "faults", obj{"node": "alice", "set": obj{"failrate": "0"}})
	w.must("alice", "xpay", obj{"invstring": w.fetch(w.offer("bob", "x"), 1000, "n")})
	paid := w.must("control", "payments", obj{}).Result["payments"].([]any)
	if p := paid[0].(map[string]any); len(paid) != 1 || p["from"] != "alice" || p["to"] != "bob" || p["fee_msat"] != 7.0 || p["status"] != "complete" || p["payer_note"] != "n" {
		t.Errorf("payments %v", paid)
	}
	if rest := w.must("control", "payments", obj{"after": 1}).Result["payments"].([]any); len(rest) != 0 {
		t.Errorf("payments after the first: %v", rest)
	}
	if b := w.must("control", "balances", obj{}).Result["balances"].(map[string]any)["bob"].(map[string]any); b["received_msat"] != 1000.0 {
		t.Errorf("balance %v", b)
	}
	if a := w.must("control", "audit", obj{}); a.Result["ok"] != true {
		t.Errorf("audit %v", a.Result)
	}
	w.must("control", "snapshot", obj{"node": "bob"})
	w.must("alice", "xpay", obj{"invstring": w.fetch(w.offer("bob", "y"), 1000, "n")})
	w.must("control", "restore", obj{"node": "bob"})
	if rows := w.must("bob", "listinvoices", obj{}).Result["invoices"].([]any); len(rows) != 1 {
		t.Errorf("invoices of a restored node: %v", rows)
	}
	if offers := w.must("bob", "listoffers", obj{}).Result["offers"].([]any); len(offers) != 1 {
		t.Errorf("offers of a restored node: %v", offers)
	}
	if a := w.must("control", "audit", obj{}); a.Result["ok"] != true {
		t.Errorf("audit after a restore: %v", a.Result)
	}
	if r := w.call("control", "restore", obj{"node": "nobody"}); r.code() != -32602 {
		t.Errorf("%+v", r)
	}
	w.must("control", "offline", obj{"node": "bob", "on": true})
	if n := w.must("bob", "getinfo", obj{}).Result["num_peers"]; n != 0.0 {
		t.Errorf("%v peers offline", n)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestBacklog(t *testing.T) {
	w := newWorld(t, clnsim.Options{}, clnsim.NodeOptions{}, open)
	if err := w.Backlog("alice", "bob", 3, func(i int) string { return string(rune('a' + i)) }); err != nil {
		t.Fatal(err)
	}
	last := 0
	for _, note := range []string{"a", "b", "c"} {
		r := w.must("bob", "waitanyinvoice", obj{"lastpay_index": last, "timeout": 0})
		if r.text("invreq_payer_note") != note {
			t.Errorf("after %d: %v", last, r.Result)
		}
		last = int(r.Result["pay_index"].(float64))
	}
	if b := w.Balances()["bob"]; b.ReceivedMsat != 3000 {
		t.Errorf("%+v", b)
	}
	w.audit()
}
