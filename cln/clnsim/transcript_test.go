package clnsim_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/cln/clnsim"
)

// particular are the words of a message that differ from one node or call to the next.
var particular = regexp.MustCompile(`ln(o|r|i|bcrt[0-9]*[munp]?)1[0-9a-z]+|[0-9a-f]{40,}|groupid=[0-9]+|127\.0\.0\.1:[0-9]+`)

// The causes for which errors were recorded from lightningd bring the same errors from the simulator.
func TestRecordedErrors(t *testing.T) {
	if data == nil {
		return // TestMain said so
	}
	const zeros = "0000000000000000000000000000000000000000000000000000000000000000"
	fixed := func(w *world) string {
		return w.must("bob", "offer", obj{"amount": "1000msat", "description": "relay, 1000 msat"}).text("bolt12")
	}
	offline := func(w *world, node string) {
		if err := w.SetOffline(node, true); err != nil {
			w.t.Fatal(err)
		}
	}
	disabled := func(w *world) reply {
		o := w.must("bob", "offer", obj{"amount": "any", "description": "to be disabled"})
		w.must("bob", "disableoffer", obj{"offer_id": o.text("offer_id")})
		return o
	}
	faults := func(w *world, f clnsim.Faults) {
		if err := w.SetFaults("alice", f); err != nil {
			w.t.Fatal(err)
		}
	}
	meta := func(w *world, note string, msat int, pay bool) reply {
		p := obj{"offer": w.offer("bob", "x"), "amount_msat": 1000, "payer_note": "n1", "payer_metadata": "cdcd"}
		first := w.must("alice", "fetchinvoice", p)
		if pay {
			w.must("alice", "xpay", obj{"invstring": first.text("invoice")})
		}
		p["payer_note"], p["amount_msat"] = note, msat
		return w.call("alice", "fetchinvoice", p)
	}
	for name, cause := range map[string]func(w *world) reply{
		"02_offer_bad_amount": func(w *world) reply { return w.call("bob", "offer", obj{"amount": "-5", "description": "x"}) },
		"04_decode_bad":       func(w *world) reply { return w.call("alice", "decode", obj{"string": "lno1qqqq"}) },
		"09_xpay_again": func(w *world) reply {
			inv := w.fetch(w.offer("bob", "x"), 1000, "n")
			w.must("alice", "xpay", obj{"invstring": inv})
			return w.call("alice", "xpay", obj{"invstring": inv})
		},
		"10_pay_offer_direct": func(w *world) reply { return w.call("alice", "pay", obj{"bolt11": fixed(w)}) },
		"11_pay_unknown_param": func(w *world) reply {
			return w.call("alice", "pay", obj{"bolt11": w.fetch(w.offer("bob", "x"), 1000, "n"), "nosuch": 1})
		},
		"11_xpay_wrong_amount": func(w *world) reply {
			return w.call("alice", "xpay", obj{"invstring": w.fetch(w.offer("bob", "x"), 1000, "n"), "amount_msat": 2000})
		},
		"13_fetchinvoice_amount_too_low": func(w *world) reply {
			return w.call("alice", "fetchinvoice", obj{"offer": fixed(w), "amount_msat": 999})
		},
		"13_fetchinvoice_any_no_amount": func(w *world) reply { return w.call("alice", "fetchinvoice", obj{"offer": w.offer("bob", "x")}) },
		"13_fetchinvoice_bad_offer": func(w *world) reply {
			return w.call("alice", "fetchinvoice", obj{"offer": "lno1qqqq", "amount_msat": 1})
		},
		"13_fetchinvoice_missing_param": func(w *world) reply { return w.call("alice", "fetchinvoice", obj{}) },
		"13_unknown_method":             func(w *world) reply { return w.call("alice", "nosuchmethod", obj{}) },
		"13_xpay_zero": func(w *world) reply {
			return w.call("alice", "xpay", obj{"invstring": w.fetch(w.offer("bob", "x"), 0, "n")})
		},
		"14_fetchinvoice_single_use_used": func(w *world) reply {
			o := w.must("bob", "offer", obj{"amount": 1000, "description": "once", "single_use": true}).text("bolt12")
			w.must("alice", "xpay", obj{"invstring": w.must("alice", "fetchinvoice", obj{"offer": o}).text("invoice")})
			return w.call("alice", "fetchinvoice", obj{"offer": o})
		},
		"15_disableoffer_again": func(w *world) reply {
			return w.call("bob", "disableoffer", obj{"offer_id": disabled(w).text("offer_id")})
		},
		"15_disableoffer_unknown": func(w *world) reply { return w.call("bob", "disableoffer", obj{"offer_id": zeros}) },
		"15_enableoffer_again": func(w *world) reply {
			o := w.must("bob", "offer", obj{"amount": "any", "description": "x"})
			return w.call("bob", "enableoffer", obj{"offer_id": o.text("offer_id")})
		},
		"15_fetchinvoice_disabled": func(w *world) reply {
			return w.call("alice", "fetchinvoice", obj{"offer": disabled(w).text("bolt12"), "amount_msat": 1000})
		},
		"15_offer_recreate_disabled": func(w *world) reply {
			disabled(w)
			return w.call("bob", "offer", obj{"amount": "any", "description": "to be disabled"})
		},
		"15_xpay_invoice_of_disabled_offer": func(w *world) reply {
			o := w.must("bob", "offer", obj{"amount": "any", "description": "x"})
			inv := w.fetch(o.text("bolt12"), 1000, "n")
			w.must("bob", "disableoffer", obj{"offer_id": o.text("offer_id")})
			return w.call("alice", "xpay", obj{"invstring": inv})
		},
		"16_fetchinvoice_expired": func(w *world) reply {
			o := w.must("bob", "offer", obj{"amount": "any", "description": "x", "absolute_expiry": 1})
			return w.call("alice", "fetchinvoice", obj{"offer": o.text("bolt12"), "amount_msat": 1000})
		},
		"17_fetchinvoice_unknown_node": func(w *world) reply {
			return w.call("alice", "fetchinvoice", obj{"offer": "lno1qgsqvgnwgcg35z6ee2h3yczraddm72xrfua9uve2rlrm9deu7xyfzrc2q3hx7ur9zcss93sy072yrmtad5cy2srwjhq8ekzuw78yhr808jn6htqfh9w8p8h9", "amount_msat": 1})
		},
		"17_fetchinvoice_wrong_chain": func(w *world) reply {
			return w.call("alice", "fetchinvoice", obj{"offer": "lno1pgzx6ctfdctzzq372cfs0k008p0mpdsrqq94aya839mr3gzc4qw0wdsj5lpannhcas", "amount_msat": 1})
		},
		"18_fetchinvoice_c_offline": func(w *world) reply {
			o := w.offer("bob", "x")
			faults(w, clnsim.Faults{Hops: 1})
			offline(w, "bob")
			return w.call("alice", "fetchinvoice", obj{"offer": o, "amount_msat": 1, "timeout": 1})
		},
		"18_pay_invoice_c_offline": func(w *world) reply {
			inv := w.fetch(w.offer("bob", "x"), 1000, "n")
			faults(w, clnsim.Faults{Hops: 1})
			offline(w, "bob")
			return w.call("alice", "pay", obj{"bolt11": inv})
		},
		"18_xpay_invoice_c_offline": func(w *world) reply {
			inv := w.fetch(w.offer("bob", "x"), 1000, "n")
			faults(w, clnsim.Faults{Hops: 1})
			offline(w, "bob")
			return w.call("alice", "xpay", obj{"invstring": inv})
		},
		"19_fetchinvoice_b_offline": func(w *world) reply {
			o := w.offer("bob", "x")
			offline(w, "bob")
			return w.call("alice", "fetchinvoice", obj{"offer": o, "amount_msat": 1})
		},
		"19_xpay_b_offline": func(w *world) reply {
			inv := w.fetch(w.offer("bob", "x"), 1000, "n")
			offline(w, "bob")
			return w.call("alice", "xpay", obj{"invstring": inv})
		},
		"20_listinvoices_start_without_index": func(w *world) reply { return w.call("bob", "listinvoices", obj{"start": 1}) },
		"20_listinvoices_two_selectors": func(w *world) reply {
			return w.call("bob", "listinvoices", obj{"offer_id": zeros, "payment_hash": zeros})
		},
		"21_waitanyinvoice_timeout0": func(w *world) reply {
			return w.call("bob", "waitanyinvoice", obj{"lastpay_index": 1000000, "timeout": 0})
		},
		"21_waitinvoice_unknown": func(w *world) reply { return w.call("bob", "waitinvoice", obj{"label": "nope"}) },
		"25_delinvoice_paid_wrong_status": func(w *world) reply {
			inv := w.must("bob", "invoice", obj{"amount_msat": 1, "label": "l", "description": "d"}).text("bolt11")
			w.must("alice", "xpay", obj{"invstring": inv})
			return w.call("bob", "delinvoice", obj{"label": "l", "status": "unpaid"})
		},
		"25_invoice_dup_label": func(w *world) reply {
			w.must("bob", "invoice", obj{"amount_msat": 1, "label": "b11-1", "description": "d"})
			return w.call("bob", "invoice", obj{"amount_msat": 1, "label": "b11-1", "description": "d"})
		},
		"27_xpay_rejected_by_hook": func(w *world) reply {
			inv := w.fetch(w.offer("bob", "x"), 1000, "n")
			if err := w.SetFaults("bob", clnsim.Faults{Refuse: true}); err != nil {
				w.t.Fatal(err)
			}
			return w.call("alice", "xpay", obj{"invstring": inv, "retry_for": 1})
		},
		"33_meta_3_other_note":   func(w *world) reply { return meta(w, "n2", 1000, false) },
		"33_meta_4_other_amount": func(w *world) reply { return meta(w, "n1", 2000, false) },
		"33_meta_5_after_paid":   func(w *world) reply { return meta(w, "n1", 1000, true) },
	} {
		t.Run(name, func(t *testing.T) {
			recorded, err := data.Transcript(name)
			if err != nil || recorded.Response.Error == nil {
				t.Fatalf("transcript: %v", err)
			}
			want := recorded.Response.Error
			w := newWorld(t, clnsim.Options{InvoiceExpiry: time.Hour}, clnsim.NodeOptions{}, open)
			got := cause(w).Error
			if got == nil {
				t.Fatal("no error")
			}
			a, b := general(got.Message), general(want.Message)
			if got.Code != want.Code || a != b {
				t.Errorf("got  %d %s\nwant %d %s", got.Code, a, want.Code, b)
			}
			if (got.Data == nil) != (want.Data == nil) {
				t.Errorf("data %v, want %s", got.Data, want.Data)
			}
			if reason, ok := got.Data["error"].(string); ok && !strings.Contains(general(string(want.Data)), general(reason)) {
				t.Errorf("reason %q, want %s", reason, want.Data)
			}
		})
	}
}

func general(message string) string { return particular.ReplaceAllString(message, "…") }
