package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/paystream"
)

// badRequests tells the gateway, through tor, what it must refuse.
func (w *world) badRequests(t *testing.T) {
	w.steady(t)
	mark := w.log.mark()
	link := w.stranger.link(t)
	in, preimage := w.stranger.intent(w.terms(t))
	if _, err := link.Open(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	auth := "Proxy-Authorization: Tops " + in.Hash.Hex() + "\r\n"
	open := func(body string) string {
		return fmt.Sprintf("POST /tops/v1/paystreams HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	other, _ := w.stranger.intent(w.terms(t))
	for _, test := range []struct {
		name, says string
		status     int
		body       string // holds this
	}{
		{"CONNECT without a port", "CONNECT example.com HTTP/1.1\r\n" + auth + "\r\n", 400, `"code":"http"`},
		{"CONNECT to port 0", "CONNECT 93.184.216.34:0 HTTP/1.1\r\n" + auth + "\r\n", 400, `"code":"http"`},
		{"CONNECT to an octal address", "CONNECT 0177.0.0.1:80 HTTP/1.1\r\n" + auth + "\r\n", 400, `"code":"http"`},
		{"CONNECT with a body", "CONNECT 93.184.216.34:19 HTTP/1.1\r\nContent-Length: 3\r\n" + auth + "\r\nabc", 400, "CONNECT with a body"},
		{"CONNECT for nobody", "CONNECT 93.184.216.34:19 HTTP/1.1\r\n\r\n", 407, `"code":"unknown"`},
		{"CONNECT for a stranger", "CONNECT 93.184.216.34:19 HTTP/1.1\r\nProxy-Authorization: Tops " + other.Hash.Hex() + "\r\n\r\n", 407, `"code":"unknown"`},
		{"CONNECT with half a hash", "CONNECT 93.184.216.34:19 HTTP/1.1\r\nProxy-Authorization: Tops 00\r\n\r\n", 407, `"code":"unknown"`},
		{"LF alone", "GET /tops/v1/terms HTTP/1.1\nHost: x\n\n", 400, "CRLF"},
		{"a folded field", "GET /tops/v1/terms HTTP/1.1\r\nHost: x\r\n y\r\n\r\n", 400, "a field's name"},
		{"no HTTP at all", "\x16\x03\x01\x02\x00\r\n\r\n", 400, "the start line"},
		{"HTTP/1.0", "GET /tops/v1/terms HTTP/1.0\r\n\r\n", 505, "version 1.1"},
		{"two spaces", "GET  /tops/v1/terms HTTP/1.1\r\n\r\n", 400, "the start line"},
		{"chunked", "POST /tops/v1/paystreams HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "transfer-encoding"},
		{"two lengths", "POST /tops/v1/paystreams HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400, "content-length twice"},
		{"a long head", "GET /tops/v1/terms HTTP/1.1\r\nX: " + strings.Repeat("x", 9000) + "\r\n\r\n", 431, "8 KiB"},
		{"a long body", open(strings.Repeat(" ", 64<<10) + "{}"), 413, "64 KiB"},
		{"no length", "POST /tops/v1/paystreams HTTP/1.1\r\n\r\n", 411, `"code":"length"`},
		{"no JSON", open("hello"), 400, `"code":"malformed"`},
		{"an unknown field", open(`{"x":1}`), 400, `"code":"malformed"`},
		{"no hashes", open(`{}`), 400, `"code":"malformed"`},
		{"another path", "GET /metrics HTTP/1.1\r\n\r\n", 404, "no such path"},
		{"another method", "PUT /tops/v1/terms HTTP/1.1\r\n\r\n", 405, "method"},
		{"other terms", open(fmt.Sprintf(`{"payment_id_hash":%q,"terms_hash":%q}`, other.Hash.Hex(), strings.Repeat("0", 64))), 412, `"terms":"tops:1 `},
		{"the same hash with other round ids", open(fmt.Sprintf(`{"payment_id_hash":%q,"terms_hash":%q,"round_ids":[]}`,
			in.Hash.Hex(), in.TermsHash)), 409, `"code":"conflict"`},
		{"too few round ids", open(fmt.Sprintf(`{"payment_id_hash":%q,"terms_hash":%q,"round_ids":[%q]}`,
			other.Hash.Hex(), other.TermsHash, strings.Repeat("a", 64))), 400, `"code":"malformed"`},
		{"another's preimage", fmt.Sprintf("DELETE /tops/v1/paystream HTTP/1.1\r\nAuthorization: Tops %s\r\nContent-Length: 83\r\n\r\n{\"preimage\":%q}     ",
			in.Hash.Hex(), strings.Repeat("0", 64)), 403, `"code":"preimage"`},
	} {
		status, body := w.stranger.say(t, test.says)
		if status != test.status || !strings.Contains(body, test.body) {
			t.Errorf("%s: %d %s, want %d with %q", test.name, status, body, test.status, test.body)
		}
		if strings.Contains(body, in.Hash.Hex()) {
			t.Errorf("%s: the answer holds the hash", test.name)
		}
	}
	// None of it was the relay's trouble.
	if warnings := w.log.since(mark, "relay"); len(warnings) > 0 {
		t.Errorf("the relay logged:\n%s", strings.Join(warnings, "\n"))
	}
	// And it harmed nobody: the pay stream lives until its payer ends it. Its hash is retired then.
	if v, err := link.View(t.Context(), in.Hash); err != nil || v.Handle != in.Hash.Handle() {
		t.Errorf("the pay stream afterwards: %+v, %v", v, err)
	}
	if _, err := link.End(t.Context(), in.Hash, preimage); err != nil {
		t.Error(err)
	}
	if _, err := link.Open(t.Context(), in); !errors.Is(err, paystream.ErrRetired) {
		t.Errorf("the same hash again: %v, want %v", err, paystream.ErrRetired)
	}
	body := fmt.Sprintf(`{"payment_id_hash":%q,"terms_hash":%q}`, in.Hash.Hex(), in.TermsHash)
	if status, text := w.stranger.say(t, open(body)); status != 409 || !strings.Contains(text, `"code":"retired"`) {
		t.Errorf("the same hash again: %d %s, want 409 retired", status, text)
	}
}

// forbidden are targets that nobody may reach through a gateway.
func (w *world) forbidden() []string {
	or := netip.AddrPortFrom(w.net.Relays[0].Addr, 5000)
	return []string{
		"127.0.0.1:80", "10.0.0.1:80", "192.168.1.1:80", "169.254.169.254:80", "0.0.0.0:80", "224.0.0.1:80",
		"[::1]:80", "[::ffff:127.0.0.1]:80", "[64:ff9b::7f00:1]:80", "[fe80::1]:80", "[2002:7f00:1::]:80",
		w.gateway().String(), netip.AddrPortFrom(w.exit.Addr, 5000).String(), or.String(),
		"localhost:80", "private.tops-e2e.org:80", "loop.tops-e2e.org:80", "meta.tops-e2e.org:80", "relay.tops-e2e.org:9402", "relay.tops-e2e.org.:80",
	}
}

// badTargets asks for them directly.
func (w *world) badTargets(t *testing.T) {
	w.steady(t)
	link := w.stranger.link(t)
	in, preimage := w.stranger.intent(w.terms(t))
	if _, err := link.Open(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	for _, target := range w.forbidden() {
		conn, err := link.Connect(t.Context(), in.Hash, target)
		if err == nil {
			conn.Close()
		}
		if !errors.Is(err, gateway.ErrPolicy) {
			t.Errorf("CONNECT %s: %v, want %v", target, err, gateway.ErrPolicy)
		}
	}
	for target, code := range map[string]gateway.TargetCode{
		"93.184.216.34:81": gateway.TargetRefused, "no.such.tops-e2e.org:80": gateway.TargetUnknown, "8.8.8.8:53": gateway.TargetUnreachable,
	} {
		conn, err := link.Connect(t.Context(), in.Hash, target)
		if err == nil {
			conn.Close()
		}
		var got *gateway.TargetError
		if !errors.As(err, &got) || got.Code != code {
			t.Errorf("CONNECT %s: %v, want code %s", target, err, code)
		}
	}
	// What is allowed works, by name too.
	for _, target := range []string{chargen.String(), "outside.tops-e2e.org:19"} {
		conn, err := link.Connect(t.Context(), in.Hash, target)
		if err != nil {
			t.Fatalf("CONNECT %s: %v", target, err)
		}
		read(t, conn).goesOn(t)
	}
	if _, err := link.End(t.Context(), in.Hash, preimage); err != nil {
		t.Error(err)
	}
}

// badTargetsOfApps asks for them as an app does: SOCKS reply 2, not allowed by
// the ruleset (RFC 1928 §6).
func (w *world) badTargetsOfApps(t *testing.T) {
	w.steady(t)
	c := w.controller(t)
	circ := c.extend(t, w.path)
	ask := func(user, target string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		conn, err := dialSOCKS(ctx, user, target)
		if err == nil {
			conn.Close()
		}
		return err
	}
	for _, target := range w.forbidden() {
		if host, _, _ := net.SplitHostPort(target); strings.HasPrefix(host, "::ffff:") {
			continue // x/net's SOCKS client asks for the IPv4 address, which is here already
		}
		if err := ask("circ="+circ, target); err == nil || !strings.Contains(err.Error(), "connection not allowed by ruleset") {
			t.Errorf("%s: %v, want: connection not allowed by ruleset", target, err)
		}
	}
	for target, want := range map[string]string{
		"93.184.216.34:81": "connection refused", "no.such.tops-e2e.org:80": "host unreachable", "0177.0.0.1:80": "general SOCKS server failure",
	} {
		if err := ask("circ="+circ, target); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want: %s", target, err, want)
		}
	}
	if err := ask("circ=99999", chargen.String()); err == nil || !strings.Contains(err.Error(), "general SOCKS server failure") {
		t.Errorf("a circuit that is not there: %v", err)
	}
}
