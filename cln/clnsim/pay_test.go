package clnsim_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/cln/clnsim"
)

var open = clnsim.NodeOptions{Faults: clnsim.Faults{UnlimitedOnion: true}}

func (w *world) offer(node, description string) string {
	w.t.Helper()
	return w.must(node, "offer", obj{"amount": "any", "description": description}).text("bolt12")
}

func (w *world) fetch(offer string, msat int64, note string) string {
	w.t.Helper()
	return w.must("alice", "fetchinvoice", obj{"offer": offer, "amount_msat": msat, "payer_note": note}).text("invoice")
}

func TestPayAnOffer(t *testing.T) {
	w := newWorld(t, clnsim.Options{}, clnsim.NodeOptions{Faults: clnsim.Faults{Hops: 2, FeeBaseMsat: 1, FeePPM: 10}}, open)
	note := strings.Repeat("ab", 32)
	invoice := w.fetch(w.offer("bob", "bandwidth"), 100_000, note)
	decoded := w.must("alice", "decode", obj{"string": invoice})
	if decoded.Result["valid"] != true || decoded.text("invreq_payer_note") != note {
		t.Fatalf("decoded: %v", decoded.Result)
	}
	paid := w.must("alice", "xpay", obj{"invstring": invoice, "maxfee": 10})
	if got := paid.Result["amount_sent_msat"]; got != 100_004.0 {
		t.Errorf("sent %v", got)
	}
	row := w.must("bob", "waitanyinvoice", obj{"lastpay_index": 0, "timeout": 0})
	for k, want := range (obj{
		"invreq_payer_note": note, "amount_received_msat": 100_000.0, "pay_index": 1.0, "status": "paid",
		"payment_preimage": paid.text("payment_preimage"), "local_offer_id": decoded.text("offer_id"),
	}) {
		if row.Result[k] != want {
			t.Errorf("%s: %v, want %v", k, row.Result[k], want)
		}
	}
	if b := w.Balances(); b["alice"].SentMsat != 100_000 || b["alice"].FeesMsat != 4 || b["bob"].ReceivedMsat != 100_000 {
		t.Errorf("%+v", b)
	}
	if again := w.call("alice", "xpay", obj{"invstring": invoice}); again.code() != 219 {
		t.Errorf("xpay again: %+v", again)
	}
	if again := w.must("alice", "pay", obj{"bolt11": invoice}); again.text("payment_preimage") != paid.text("payment_preimage") {
		t.Errorf("pay again: %+v", again)
	}
	w.audit()
}

func TestPayerMetadata(t *testing.T) {
	w := newWorld(t, clnsim.Options{}, clnsim.NodeOptions{}, open)
	offer := w.offer("bob", "x")
	ask := func(note string, msat int) reply {
		return w.call("alice", "fetchinvoice", obj{"offer": offer, "amount_msat": msat, "payer_note": note, "payer_metadata": strings.Repeat("cd", 16)})
	}
	first := ask("n1", 1000).text("invoice")
	if first == "" || ask("n1", 1000).text("invoice") != first {
		t.Fatal("the same request gave another invoice")
	}
	for _, r := range []reply{ask("n2", 1000), ask("n1", 2000)} {
		if r.code() != 1004 || r.Error.Data != nil || !strings.HasPrefix(r.Error.Message, "Incorrect invoice_request match field") {
			t.Errorf("another note or amount: %+v", r.Error)
		}
	}
	w.must("alice", "xpay", obj{"invstring": first})
	if r := ask("n1", 1000); r.code() != 1004 || r.Error.Data["error"] != "Internal error" {
		t.Errorf("once paid: %+v", r.Error)
	}
}

func TestExpiredInvoiceIsReplaced(t *testing.T) {
	w := newWorld(t, clnsim.Options{InvoiceExpiry: time.Nanosecond}, clnsim.NodeOptions{}, open)
	offer := w.offer("bob", "x")
	ask := func() string {
		return w.must("alice", "fetchinvoice", obj{"offer": offer, "amount_msat": 1000, "payer_metadata": "cd"}).text("invoice")
	}
	first := ask()
	if r := w.call("alice", "xpay", obj{"invstring": first}); r.code() != 207 {
		t.Errorf("paid an expired invoice: %+v", r)
	}
	if second := ask(); second == first {
		t.Error("an expired invoice came again")
	}
}

func TestOnionLimit(t *testing.T) {
	w := newWorld(t, clnsim.Options{}, clnsim.NodeOptions{}, clnsim.NodeOptions{})
	offer := w.offer("bob", "x")
	var mu sync.Mutex
	codes := map[int]int{}
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			r := w.call("alice", "fetchinvoice", obj{"offer": offer, "amount_msat": 1000, "payer_note": fmt.Sprint(i), "timeout": 1})
			mu.Lock()
			defer mu.Unlock()
			codes[r.code()]++
		})
	}
	wg.Wait()
	if codes[0] < 4 || codes[1005] < 4 || codes[0]+codes[1005] != 12 {
		t.Errorf("answers by code: %v", codes)
	}
}

func TestTwoAtOnce(t *testing.T) {
	w := newWorld(t, clnsim.Options{}, clnsim.NodeOptions{Faults: clnsim.Faults{PayDelay: 100 * time.Millisecond}}, open)
	invoice := w.fetch(w.offer("bob", "x"), 1000, "n")
	codes := make(chan int, 3)
	for range 3 {
		go func() { codes <- w.call("alice", "xpay", obj{"invstring": invoice}).code() }()
	}
	got := map[int]int{}
	for range 3 {
		got[<-codes]++
	}
	if got[0] != 1 || got[-3] != 2 {
		t.Errorf("answers by code: %v", got)
	}
	w.audit()
}

// A caller that hangs up does not stop its payment.
func TestHangUp(t *testing.T) {
	w := newWorld(t, clnsim.Options{}, clnsim.NodeOptions{Faults: clnsim.Faults{PayDelay: 50 * time.Millisecond}}, open)
	invoice := w.fetch(w.offer("bob", "x"), 1000, "n")
	c := w.dial("alice")
	c.send(`{"jsonrpc":"2.0","id":1,"method":"xpay","params":["` + invoice + `"]}`)
	for len(w.Payments()) == 0 { // until the node has read it
		time.Sleep(time.Millisecond)
	}
	c.Close()
	w.must("bob", "waitanyinvoice", obj{"timeout": 10})
	pays := w.must("alice", "listpays", obj{"bolt11": invoice}).Result["pays"].([]any)
	if len(pays) != 1 || pays[0].(map[string]any)["status"] != "complete" {
		t.Errorf("%v", pays)
	}
}

func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		alice, bob clnsim.Faults
		offline    string
		msat       int64
		maxfee     int64
		want       int
	}{
		"lost on the way": {alice: clnsim.Faults{FailRate: 1}, msat: 1000, want: 209},
		"stuck and lost":  {alice: clnsim.Faults{StuckRate: 1, StuckFor: time.Millisecond, StuckFails: true}, msat: 1000, want: 209},
		"stuck and late":  {alice: clnsim.Faults{StuckRate: 1, StuckFor: time.Millisecond}, msat: 1000, want: 0},
		"refused":         {bob: clnsim.Faults{Refuse: true}, msat: 1000, want: 203},
		"peer offline":    {offline: "bob", msat: 1000, want: 205},
		"hop offline":     {alice: clnsim.Faults{Hops: 1}, offline: "bob", msat: 1000, want: 209},
		"no peers":        {offline: "alice", msat: 1000, want: 205},
		"no liquidity":    {msat: 1 << 50, want: 205},
		"too expensive":   {alice: clnsim.Faults{Hops: 1, FeeBaseMsat: 1000}, msat: 1000, maxfee: 100, want: 206},
	} {
		t.Run(name, func(t *testing.T) {
			c.bob.UnlimitedOnion = true
			w := newWorld(t, clnsim.Options{}, clnsim.NodeOptions{}, clnsim.NodeOptions{Faults: c.bob})
			invoice := w.fetch(w.offer("bob", "x"), c.msat, "n")
			if err := w.SetFaults("alice", c.alice); err != nil {
				t.Fatal(err)
			}
			if c.offline != "" {
				if err := w.SetOffline(c.offline, true); err != nil {
					t.Fatal(err)
				}
			}
			r := w.call("alice", "xpay", obj{"invstring": invoice, "retry_for": 0, "maxfee": c.maxfee})
			if r.code() != c.want {
				t.Errorf("%+v, want code %d", r, c.want)
			}
			if b := w.Balances()["alice"]; b.HeldMsat != 0 {
				t.Errorf("still held: %+v", b)
			}
			w.audit()
		})
	}
}

func TestOfferErrors(t *testing.T) {
	w := newWorld(t, clnsim.Options{}, clnsim.NodeOptions{}, open)
	fixed := w.must("bob", "offer", obj{"amount": "1000msat", "description": "fixed"}).text("bolt12")
	gone := w.must("bob", "offer", obj{"amount": "any", "description": "gone"})
	w.must("bob", "disableoffer", obj{"offer_id": gone.text("offer_id")})
	old := w.must("bob", "offer", obj{"amount": "any", "description": "old", "absolute_expiry": 1}).text("bolt12")
	for name, c := range map[string]struct {
		node, method string
		params       obj
		want         int
		data         string
	}{
		"too little":       {"alice", "fetchinvoice", obj{"offer": fixed, "amount_msat": 999}, 1004, "Amount must be at least 1000msat"},
		"disabled":         {"alice", "fetchinvoice", obj{"offer": gone.text("bolt12"), "amount_msat": 999}, 1004, "Offer no longer available"},
		"expired":          {"alice", "fetchinvoice", obj{"offer": old, "amount_msat": 999}, 1002, ""},
		"no amount":        {"alice", "fetchinvoice", obj{"offer": w.offer("bob", "x")}, -32602, ""},
		"bad":              {"alice", "fetchinvoice", obj{"offer": "lno1qqqq", "amount_msat": 1}, -32602, ""},
		"other chain":      {"alice", "fetchinvoice", obj{"offer": "lno1pgzx6ctfdctzzq372cfs0k008p0mpdsrqq94aya839mr3gzc4qw0wdsj5lpannhcas", "amount_msat": 1}, -32602, ""},
		"unknown node":     {"alice", "fetchinvoice", obj{"offer": "lno1qgsqvgnwgcg35z6ee2h3yczraddm72xrfua9uve2rlrm9deu7xyfzrc2q3hx7ur9zcss93sy072yrmtad5cy2srwjhq8ekzuw78yhr808jn6htqfh9w8p8h9", "amount_msat": 1}, 1003, ""},
		"made again":       {"bob", "offer", obj{"amount": "any", "description": "gone"}, 1000, ""},
		"disabled again":   {"bob", "disableoffer", obj{"offer_id": gone.text("offer_id")}, 1001, ""},
		"disabled unknown": {"bob", "disableoffer", obj{"offer_id": strings.Repeat("0", 64)}, -1, ""},
		"pay an offer":     {"alice", "pay", obj{"bolt11": fixed}, -32602, ""},
		"other parameter":  {"alice", "pay", obj{"bolt11": fixed, "nosuch": 1}, -32602, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.call(c.node, c.method, c.params)
			if r.code() != c.want {
				t.Fatalf("%+v, want code %d", r.Error, c.want)
			}
			if got, _ := r.Error.Data["error"].(string); !strings.HasSuffix(got, c.data) {
				t.Errorf("data %q", got)
			}
		})
	}
}

func TestSingleUse(t *testing.T) {
	w := newWorld(t, clnsim.Options{}, clnsim.NodeOptions{}, open)
	offer := w.must("bob", "offer", obj{"amount": "1000msat", "description": "once", "single_use": true}).text("bolt12")
	one := w.must("alice", "fetchinvoice", obj{"offer": offer}).text("invoice")
	two := w.must("alice", "fetchinvoice", obj{"offer": offer}).text("invoice")
	w.must("alice", "xpay", obj{"invstring": one})
	if r := w.call("alice", "xpay", obj{"invstring": two}); r.code() != 203 {
		t.Errorf("paid twice: %+v", r)
	}
}

func TestPlainInvoice(t *testing.T) {
	w := newWorld(t, clnsim.Options{}, clnsim.NodeOptions{}, open)
	made := w.must("bob", "invoice", obj{"amount_msat": 1000, "label": "b-1", "description": "d"})
	if r := w.call("bob", "invoice", obj{"amount_msat": 1000, "label": "b-1", "description": "d"}); r.code() != 900 {
		t.Errorf("label taken: %+v", r)
	}
	if d := w.must("alice", "decode", obj{"string": made.text("bolt11")}); d.text("payment_hash") != made.text("payment_hash") {
		t.Errorf("%+v", d)
	}
	w.must("alice", "xpay", obj{"invstring": made.text("bolt11")})
	if r := w.call("bob", "delinvoice", obj{"label": "b-1", "status": "unpaid"}); r.code() != 906 || r.Error.Data["current_status"] != "paid" {
		t.Errorf("%+v", r.Error)
	}
	w.must("bob", "delinvoice", obj{"label": "b-1", "status": "paid"})
	if r := w.call("bob", "delinvoice", obj{"label": "b-1", "status": "paid"}); r.code() != 905 {
		t.Errorf("%+v", r.Error)
	}
	w.audit()
}
