package clndata_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/el-tor/tops/cln/internal/clndata"
)

// Core Lightning's answers fit its schemas, as read here: otherwise the schemas say nothing about ours.
func TestRecordedAnswersFit(t *testing.T) {
	d, left := clndata.Open()
	if d == nil {
		fmt.Fprintln(os.Stderr, left)
		return
	}
	names, err := d.Transcripts()
	if err != nil || len(names) < 50 {
		t.Fatalf("%d transcripts, %v", len(names), err)
	}
	for _, name := range names {
		tr, err := d.Transcript(name)
		if err != nil {
			t.Fatal(err)
		}
		if tr.Response.Result == nil {
			continue
		}
		if err := d.CheckResponse(tr.Request.Method, tr.Response.Result); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSchemasRefuse(t *testing.T) {
	d, left := clndata.Open()
	if d == nil {
		fmt.Fprintln(os.Stderr, left)
		return
	}
	for _, c := range []struct{ method, request, response string }{
		{"fetchinvoice", `{"offer":"lno1","nosuch":1}`, `{"invoice":"lni1"}`},
		{"listpays", `{"payment_hash":"00"}`, `{"pays":[{"status":"complete"}]}`},
		{"xpay", `{"maxfee":1}`, `{"payment_preimage":"00"}`},
	} {
		if d.CheckRequest(c.method, []byte(c.request)) == nil {
			t.Errorf("%s: request %s fits", c.method, c.request)
		}
		if d.CheckResponse(c.method, []byte(c.response)) == nil {
			t.Errorf("%s: response %s fits", c.method, c.response)
		}
	}
}
