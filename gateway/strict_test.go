package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/paystream"
)

// say sends raw bytes and returns everything that comes back until the end.
func (w *world) say(t *testing.T, raw string) string {
	t.Helper()
	c, err := w.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	mustWrite(t, c, raw)
	c.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("%.60q: %v", raw, err)
	}
	return string(b)
}

func post(path, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

func TestStrictHTTP(t *testing.T) {
	w := newWorld(t, nil)
	hash, auth := w.hash.Hex(), "Authorization: Tops "+w.hash.Hex()+"\r\n"
	intent := `{"payment_id_hash":"` + hash + `","terms_hash":"` + testTerms.Hash().String() + `"}`
	if got := w.say(t, post("/tops/v1/paystreams", intent)); !strings.HasPrefix(got, "HTTP/1.1 201 ") {
		t.Fatalf("the intent itself: %q", got)
	}
	const get, end = "GET /tops/v1/terms HTTP/1.1\r\n", "\r\n"
	for _, tc := range []struct{ name, raw, status string }{
		{"terms", get + end, "200"},
		{"with a host and fields of no use", get + "Host: gw\r\nUser-Agent: x\r\nX-Tab:\ta\r\n" + end, "200"},
		{"view", "GET /tops/v1/paystream HTTP/1.1\r\n" + auth + end, "200"},
		{"HTTP/1.0", "GET /tops/v1/terms HTTP/1.0\r\n\r\n", "505"},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
		{"no version", "GET /tops/v1/terms\r\n\r\n", "400"},
		{"bare LF", "GET /tops/v1/terms HTTP/1.1\n\n", "400"},
		{"empty line first", "\r\n" + get + end, "400"},
		{"two spaces", "GET  /tops/v1/terms HTTP/1.1\r\n\r\n", "400"},
		{"tab in the start line", "GET\t/tops/v1/terms HTTP/1.1\r\n\r\n", "400"},
		{"method that is no token", "G@T /tops/v1/terms HTTP/1.1\r\n\r\n", "400"},
		{"folded field", get + "X: a\r\n b\r\n" + end, "400"},
		{"space before the colon", get + "Host : gw\r\n" + end, "400"},
		{"field without a colon", get + "Host\r\n" + end, "400"},
		{"NUL in a field", get + "X: a\x00b\r\n" + end, "400"},
		{"CR in a field", get + "X: a\rb\r\n" + end, "400"},
		{"byte above ASCII", get + "X: \xff\r\n" + end, "400"},
		{"two hosts", get + "Host: a\r\nHost: b\r\n" + end, "400"},
		{"transfer-encoding", "POST /tops/v1/paystreams HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		{"both lengths", "POST /tops/v1/paystreams HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", "400"},
		{"two lengths", "POST /tops/v1/paystreams HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", "400"},
		{"two lengths in one", "POST /tops/v1/paystreams HTTP/1.1\r\nContent-Length: 2, 2\r\n\r\n{}", "400"},
		{"signed length", "POST /tops/v1/paystreams HTTP/1.1\r\nContent-Length: +2\r\n\r\n{}", "400"},
		{"expect", "POST /tops/v1/paystreams HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n{}", "400"},
		{"no length", "POST /tops/v1/paystreams HTTP/1.1\r\n\r\n", "411"},
		{"large body", "POST /tops/v1/paystreams HTTP/1.1\r\nContent-Length: 65537\r\n\r\n" + strings.Repeat("x", 65537), "413"},
		{"monstrous length", "POST /tops/v1/paystreams HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", "413"},
		{"long field", get + "X: " + strings.Repeat("x", 9000) + "\r\n" + end, "431"},
		{"many fields", get + strings.Repeat("X: x\r\n", 2000) + end, "431"},
		{"long path", "GET /" + strings.Repeat("x", 9000) + " HTTP/1.1\r\n\r\n", "431"},
		{"another path", "GET / HTTP/1.1\r\n\r\n", "404"},
		{"absolute form", "GET http://gw/tops/v1/terms HTTP/1.1\r\n\r\n", "404"},
		{"another method", "PUT /tops/v1/terms HTTP/1.1\r\n\r\n", "405"},
		{"no authorization", "GET /tops/v1/paystream HTTP/1.1\r\n\r\n", "407"},
		{"another scheme", "GET /tops/v1/paystream HTTP/1.1\r\nAuthorization: Bearer " + hash + "\r\n\r\n", "407"},
		{"upper-case hash", "GET /tops/v1/paystream HTTP/1.1\r\nAuthorization: Tops " + strings.ToUpper(hash) + "\r\n\r\n", "407"},
		{"no JSON", post("/tops/v1/paystreams", "x"), "400"},
		{"unknown field", post("/tops/v1/paystreams", strings.Replace(intent, "{", `{"x":1,`, 1)), "400"},
		{"two values", post("/tops/v1/paystreams", intent+intent), "400"},
		{"short hash", post("/tops/v1/paystreams", strings.Replace(intent, hash, "ab", 1)), "400"},
		{"short round id", post("/tops/v1/paystreams", strings.Replace(intent, "{", `{"round_ids":["ab"],`, 1)), "400"},
		{"short preimage", post("/tops/v1/paystreams", strings.Replace(intent, "{", `{"continues":{"payment_id_hash":"`+hash+`","preimage":""},`, 1)), "400"},
		{"invoice for nothing", strings.Replace(post("/tops/v1/invoices", `{"round":2,"amount_msat":0}`), "\r\n", "\r\n"+auth, 1), "400"},
		{"fraction of a msat", strings.Replace(post("/tops/v1/invoices", `{"round":2,"amount_msat":1.5}`), "\r\n", "\r\n"+auth, 1), "400"},
		{"CONNECT without a name", "CONNECT example.com:443 HTTP/1.1\r\n\r\n", "407"},
		{"CONNECT to no port without a name", "CONNECT example.com HTTP/1.1\r\n\r\n", "407"},
		{"CONNECT with Authorization", "CONNECT example.com:443 HTTP/1.1\r\n" + auth + "\r\n", "407"},
		{"CONNECT to no port", "CONNECT example.com HTTP/1.1\r\nProxy-" + auth + "\r\n", "400"},
		{"CONNECT to a path", "CONNECT /tops HTTP/1.1\r\nProxy-" + auth + "\r\n", "400"},
		{"CONNECT with a body", "CONNECT example.com:443 HTTP/1.1\r\nProxy-" + auth + "Content-Length: 0\r\n\r\n", "400"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := w.say(t, tc.raw)
			if !strings.HasPrefix(got, "HTTP/1.1 "+tc.status+" ") {
				t.Errorf("answer %.80q, want %s", got, tc.status)
			}
			if tc.status >= "300" && (!strings.Contains(got, "\r\nConnection: close\r\n") || strings.Count(got, "HTTP/1.1 ") != 1) {
				t.Errorf("the connection goes on after %q", got)
			}
			if strings.Contains(got, hash) || strings.Contains(got, strings.ToUpper(hash)) {
				t.Errorf("the hash is in the answer: %q", got)
			}
		})
	}
}

func TestRequestsMayBePipelined(t *testing.T) {
	w := newWorld(t, nil)
	w.open(t)
	get := "GET /tops/v1/terms HTTP/1.1\r\n\r\n"
	if n := strings.Count(w.say(t, get+get+get), "HTTP/1.1 200 OK\r\n"); n != 3 {
		t.Errorf("%d answers to 3 requests", n)
	}
	if n := strings.Count(w.say(t, get+"GET / HTTP/1.1\r\n\r\n"+get), "HTTP/1.1 "); n != 2 {
		t.Errorf("%d answers, want none after the refusal", n)
	}
}

// The refusal of an intent is read, though a CONNECT and the first bytes of its
// tunnel came behind it.
func TestRefusalBeforeAPipelinedTunnel(t *testing.T) {
	w := newWorld(t, nil)
	w.payee.failWith(w.hash, &paystream.Demand{DueMsat: 5})
	intent := `{"payment_id_hash":"` + w.hash.Hex() + `","terms_hash":"` + testTerms.Hash().String() + `"}`
	got := w.say(t, post("/tops/v1/paystreams", intent)+"CONNECT example.com:443 HTTP/1.1\r\nProxy-Authorization: Tops "+w.hash.Hex()+
		"\r\n\r\n"+strings.Repeat("x", 30_000))
	if !strings.HasPrefix(got, "HTTP/1.1 402 ") || strings.Count(got, "HTTP/1.1 ") != 1 {
		t.Errorf("answer %q", got)
	}
}

// liar is a relay that answers every request with the same bytes.
func liar(t *testing.T, answer string) *gateway.Client {
	ln := listen(t)
	go each(ln, func(conn net.Conn) {
		conn.Read(make([]byte, 4096))
		io.WriteString(conn, answer)
	})
	c := gateway.NewClient(func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", ln.Addr().String())
	})
	t.Cleanup(func() { c.Close() })
	return c
}

func answer(status, fields, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s", status, fields, len(body), body)
}

// What a client does not take from a relay.
func TestClientIsStrict(t *testing.T) {
	pre := paystream.Preimage{1}
	h := pre.Hash()
	good := `{"handle":"` + string(h.Handle()) + `","elapsed_ms":5,"round":1,"balance_msat":0,"paid_through":1,"fee_msat":0,"due_msat":1000,"due_in_ms":1,"late_in_ms":2,"bytes":3,"allowance":4}`
	if a, err := liar(t, answer("200 OK", "", good)).View(t.Context(), h); err != nil || a.Elapsed != 5*time.Millisecond || a.LateIn != 2*time.Millisecond || a.Bytes != 3 {
		t.Fatalf("%+v, %v", a, err)
	}
	for name, raw := range map[string]string{
		"nothing":                "",
		"no HTTP":                "SSH-2.0-x\r\n",
		"HTTP/1.0":               strings.Replace(answer("200 OK", "", good), "1.1", "1.0", 1),
		"no length":              "HTTP/1.1 200 OK\r\n\r\n" + good,
		"half a body":            answer("200 OK", "", good)[:200],
		"large body":             answer("200 OK", "", strings.Repeat(" ", 70_000)+good),
		"another pay stream":     answer("200 OK", "", strings.Replace(good, string(h.Handle()), "0123456789abcdef", 1)),
		"no JSON":                answer("200 OK", "", "x"),
		"unknown field":          answer("200 OK", "", strings.Replace(good, "{", `{"x":1,`, 1)),
		"overflowing time":       answer("200 OK", "", strings.Replace(good, `"elapsed_ms":5`, `"elapsed_ms":9223372036854775807`, 1)),
		"fraction":               answer("200 OK", "", strings.Replace(good, `"due_msat":1000`, `"due_msat":0.5`, 1)),
		"negative amount":        answer("200 OK", "", strings.Replace(good, `"due_msat":1000`, `"due_msat":-1`, 1)),
		"201 for a GET":          answer("201 Created", "", good),
		"100":                    "HTTP/1.1 100 Continue\r\n\r\n" + answer("200 OK", "", good),
		"402 without an amount":  answer("402 Payment Required", "", `{"error":"x"}`),
		"402 with a bad note":    answer("402 Payment Required", "", `{"error":"x","due_msat":1,"note":"ab"}`),
		"402 with a bad reason":  answer("402 Payment Required", "", `{"error":"x","due_msat":0,"reason":"LATE X=1"}`),
		"402 that asks too much": answer("402 Payment Required", "", `{"error":"x","due_msat":9223372036854775807}`),
		"412 with other terms":   answer("412 Precondition Failed", "", `{"error":"x","terms":"`+testTerms.String()+`","terms_hash":"00"}`),
		"429 without a time":     answer("429 Too Many Requests", "", `{"error":"x"}`),
		"429 for ever":           answer("429 Too Many Requests", "Retry-After: 99999999\r\n", `{"error":"x"}`),
		"302":                    answer("302 Found", "", `{"error":"x"}`),
	} {
		_, err := liar(t, raw).View(t.Context(), h)
		var demand *paystream.Demand
		var busy *paystream.Busy
		var changed *paystream.TermsChanged
		if err == nil || errors.As(err, &demand) || errors.As(err, &busy) || errors.As(err, &changed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
