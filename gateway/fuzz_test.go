package gateway

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/el-tor/tops/paystream"
)

// What our reader takes, net/http takes, and both find the same in it: nobody
// can say one thing to us and another to a proxy in front.
func FuzzReadRequest(f *testing.F) {
	f.Add([]byte("GET /tops/v1/terms HTTP/1.1\r\nHost: gw\r\n\r\n"))
	f.Add([]byte("POST /tops/v1/paystreams HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}rest"))
	f.Add([]byte("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\nProxy-Authorization: Tops 00\r\n\r\ntunnel"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := readRequest(bufio.NewReaderSize(bytes.NewReader(b), maxHead))
		if err != nil {
			return
		}
		if len(r.body) > maxBody || r.length >= 0 && len(r.body) != r.length {
			t.Fatalf("a body of %d bytes, content-length %d", len(r.body), r.length)
		}
		std, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return // it knows more about paths and hosts than we need to
		}
		if std.Method != r.method || std.RequestURI != r.path || len(std.TransferEncoding) > 0 || std.ContentLength != int64(max(r.length, 0)) ||
			std.Header.Get("Authorization") != r.fields["authorization"] || std.Header.Get("Proxy-Authorization") != r.fields["proxy-authorization"] {
			t.Errorf("we read %+v, net/http %+v", r, std)
		}
	})
}

// Whatever a relay answers, the client is left with an error or a good answer.
func FuzzReadResponse(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\n\r\n"), true)
	f.Add([]byte("HTTP/1.1 402 Payment Required\r\nContent-Length: 46\r\n\r\n{\"error\":\"x\",\"due_msat\":1000,\"reason\":\"LATE\"}\n"), false)
	f.Add([]byte("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\nContent-Length: 13\r\n\r\n{\"error\":\"x\"}"), false)
	f.Fuzz(func(t *testing.T, b []byte, connect bool) {
		r, err := readResponse(bufio.NewReaderSize(bytes.NewReader(b), maxHead), connect)
		if err != nil || r.status < 300 {
			return
		}
		if err := asError(r); err == nil || !visible(err.Error(), true) {
			t.Errorf("answer %q became %q", b, err)
		}
	})
}

// What is read as an intent is written back the same.
func FuzzIntent(f *testing.F) {
	h := paystream.Preimage{1}.Hash()
	in := paystream.Intent{Hash: h, Continues: &paystream.Continuation{Hash: h}, RoundIDs: []paystream.RoundID{paystream.RoundID(h.Hex())}}
	b, err := json.Marshal(newIntentBody(in))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"payment_id_hash":"","terms_hash":""}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var body intentBody
		if unmarshal(b, &body) != nil {
			return
		}
		in, err := body.intent()
		if err != nil {
			return
		}
		again, err := newIntentBody(in).intent()
		if err != nil || again.Hash != in.Hash || again.TermsHash != in.TermsHash || len(again.RoundIDs) != len(in.RoundIDs) ||
			(again.Continues == nil) != (in.Continues == nil) || in.Continues != nil && *again.Continues != *in.Continues {
			t.Errorf("%+v became %+v, %v", in, again, err)
		}
	})
}

// A target that is read is written the same, and is never an address in
// disguise.
func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{"example.com:443", "8.8.4.4:80", "[2001:db8::1]:1", "0x7f.1:80", "2130706433:80", "EXAMPLE.com.:65535", "[::ffff:127.0.0.1]:80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		to, err := ParseTarget(s)
		if err != nil {
			return
		}
		again, err := ParseTarget(to.String())
		if err != nil || again != to {
			t.Fatalf("%q is %v, written and read %v, %v", s, to, again, err)
		}
		if to.Addr.IsValid() == (to.Name != "") {
			t.Errorf("%q is both, or neither: %+v", s, to)
		}
		if to.Name != "" && !isName(to.Name) || to.Port == 0 {
			t.Errorf("%q became %+v", s, to)
		}
	})
}
