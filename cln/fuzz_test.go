package cln_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
)

func TestMsat(t *testing.T) {
	for text, want := range map[string]cln.Msat{`1000`: 1000, `"1000msat"`: 1000, `"1000"`: 1000, `0`: 0, `9223372036854775807`: 1<<63 - 1} {
		var got cln.Msat
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{`-1`, `1.5`, `"1sat"`, `""`, `"msat"`, `"x"`, `[]`, `9223372036854775808`, `1e3`} {
		var got cln.Msat
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: read as %d", text, got)
		}
	}
}

func TestTime(t *testing.T) {
	for text, want := range map[string]time.Time{
		`1795341608`: time.Unix(1795341608, 0), `1795341608.5`: time.Unix(1795341608, 500_000_000), `0`: time.Unix(0, 0),
	} {
		var got cln.Time
		if err := json.Unmarshal([]byte(text), &got); err != nil || !got.Equal(want) {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{`-1`, `"1"`, `1e300`, `true`} {
		var got cln.Time
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: read as %s", text, got)
		}
	}
}

func FuzzMsat(f *testing.F) {
	for _, s := range []string{`1000`, `"1000msat"`, `-1`, `""`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var m, again cln.Msat
		if json.Unmarshal([]byte(text), &m) != nil {
			return
		}
		b, err := json.Marshal(m)
		if err != nil || json.Unmarshal(b, &again) != nil || again != m || m < 0 {
			t.Errorf("%q: %d, %s, %d", text, m, b, again)
		}
	})
}

// Whatever a node answers, reading it ends in a value or an error, and times stay times.
func FuzzAnswers(f *testing.F) {
	f.Add(`{"label":"l","payment_hash":"00","status":"paid","pay_index":1,"amount_received_msat":"1000msat","paid_at":1795341608,"expires_at":1795348808}`)
	f.Add(`{"payment_hash":"00","status":"complete","amount_msat":1000,"amount_sent_msat":1001,"created_at":1795341608.46}`)
	f.Add(`{"type":"bolt12 invoice","valid":true,"invoice_amount_msat":1000,"invoice_created_at":1,"invoice_relative_expiry":9223372036854775807}`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, v := range []any{new(cln.Invoice), new(cln.Pay), new(cln.Decoded), new(cln.Info), new(cln.Channel), new(cln.Offer)} {
			_ = json.Unmarshal([]byte(text), v)
			if inv, ok := v.(*cln.Invoice); ok && inv.PaidAt.Year() > 9999 {
				t.Errorf("%q: paid in %d", text, inv.PaidAt.Year())
			}
		}
		e := cln.Error{Method: "pay", Code: cln.CodeGeneric, Message: text}
		for w := range strings.FieldsSeq(e.Error()) {
			if len(w) > 32 {
				t.Errorf("%q: a word of %d bytes", text, len(w))
			}
		}
	})
}
