package cln_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// addressServer is bob's server for bob@example.com, with what it answers in change's hands.
func addressServer(t *testing.T, w *world, change func(first, second map[string]any)) *cln.Addresses {
	t.Helper()
	const metadata = `[["text/plain","a relay"]]`
	h := http.NewServeMux()
	answers := func(r *http.Request) (first, second map[string]any) {
		first = map[string]any{
			"tag": "payRequest", "callback": "https://example.com/pay?user=bob", "minSendable": 1000, "maxSendable": 5000,
			"metadata": metadata, "commentAllowed": 64,
		}
		second = map[string]any{}
		if r.URL.Path == "/pay" {
			var inv struct{ Bolt11 string }
			err := w.bob.Call(t.Context(), "invoice", map[string]any{
				"amount_msat": r.FormValue("amount"), "label": r.FormValue("comment"), "description": metadata, "deschashonly": true,
			}, &inv)
			if err != nil || r.FormValue("user") != "bob" {
				t.Errorf("callback %s: %v", r.URL, err)
			}
			second["pr"] = inv.Bolt11
		}
		change(first, second)
		return first, second
	}
	h.HandleFunc("GET /.well-known/lnurlp/bob", func(rw http.ResponseWriter, r *http.Request) {
		first, _ := answers(r)
		_ = json.NewEncoder(rw).Encode(first)
	})
	h.HandleFunc("GET /pay", func(rw http.ResponseWriter, r *http.Request) {
		_, second := answers(r)
		_ = json.NewEncoder(rw).Encode(second)
	})
	h.HandleFunc("GET /elsewhere", func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, "/pay", http.StatusFound) })
	srv := httptest.NewTLSServer(h)
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate()) // it is for example.com
	return &cln.Addresses{RootCAs: roots, Dial: func(ctx context.Context, _, addr string) (net.Conn, error) {
		if addr != "example.com:443" {
			return nil, fmt.Errorf("dialled %q", addr)
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", srv.Listener.Addr().String())
	}}
}

func addressRequest() paystream.InvoiceRequest {
	return request(policies.Descriptor{Kind: policies.LightningAddress, Value: "bob@example.com"}, 1)
}

func TestLightningAddress(t *testing.T) {
	w := newWorld(t, options{})
	a := addressServer(t, w, func(_, _ map[string]any) {})
	wallet := cln.NewWallet(w.alice, cln.WalletOptions{Addresses: a})
	inv, err := wallet.FetchInvoice(t.Context(), addressRequest())
	if err != nil {
		t.Fatal(err)
	}
	if p, err := wallet.Pay(t.Context(), payRequest(inv)); err != nil || p.AmountMsat != 1000 {
		t.Errorf("%+v, %v", p, err)
	}
	if got, ok, err := w.bob.InvoiceByLabel(t.Context(), string(note(1))); !ok || got.Status != "paid" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestLightningAddressRefusals(t *testing.T) {
	set := func(k string, v any) func(first, second map[string]any) {
		return func(first, _ map[string]any) { first[k] = v }
	}
	for name, c := range map[string]struct {
		change func(first, second map[string]any)
		want   error
	}{
		"too little":        {set("minSendable", 2000), paystream.ErrRefused},
		"too much":          {set("maxSendable", 999), paystream.ErrRefused},
		"no comments":       {set("commentAllowed", 0), paystream.ErrRefused},
		"another tag":       {set("tag", "withdrawRequest"), paystream.ErrRefused},
		"an error":          {set("status", "ERROR"), paystream.ErrRefused},
		"too long":          {set("metadata", strings.Repeat("x", 64<<10)), paystream.ErrRefused},
		"plain http":        {set("callback", "http://example.com/pay"), paystream.ErrRefused},
		"an IP address":     {set("callback", "https://127.0.0.1/pay"), paystream.ErrRefused},
		"a name of the LAN": {set("callback", "https://localhost/pay"), paystream.ErrRefused},
		"a password":        {set("callback", "https://a:b@example.com/pay"), paystream.ErrRefused},
		"a redirect":        {set("callback", "https://example.com/elsewhere"), paystream.ErrRefused},
		"another host":      {set("callback", "https://example.org/pay"), paystream.ErrTryAgain},
		"other description": {set("metadata", "[]"), paystream.ErrRefused},
		"no invoice":        {func(_, second map[string]any) { delete(second, "pr") }, paystream.ErrRefused},
		"odd invoice":       {func(_, second map[string]any) { second["pr"] = "lnbc1" }, paystream.ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, options{})
			wallet := cln.NewWallet(w.alice, cln.WalletOptions{Addresses: addressServer(t, w, c.change)})
			inv, err := wallet.FetchInvoice(t.Context(), addressRequest())
			if !errors.Is(err, c.want) {
				t.Fatalf("%+v, %v; want %v", inv, err, c.want)
			}
			noSecrets(t, err, string(note(1)))
		})
	}
}

func TestLightningAddressNames(t *testing.T) {
	a := &cln.Addresses{Dial: func(_ context.Context, _, addr string) (net.Conn, error) { return nil, fmt.Errorf("dialled %q", addr) }}
	for address, want := range map[string]string{
		"bob@example.com": "example.com:443", "bob@abcdefghijklmnop.onion": "abcdefghijklmnop.onion:80", "bob@example.com:8443": "example.com:8443",
	} {
		if _, _, err := a.Invoice(t.Context(), address, 1000, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"", "bob", "@example.com", "bob@", "bob@localhost", "bob@127.0.0.1", "bob@127.1", "bob@example.", "bob@[::1]", "Bob@example.com", "a/b@example.com", "bob@exa mple.com", "bob@example.com/x", "bob@a@b.com"} {
		if _, _, err := a.Invoice(t.Context(), address, 1000, ""); !errors.As(err, new(*cln.AddressError)) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// Whatever a server answers, what is asked next goes to an https name, and nowhere else.
func FuzzLightningAddress(f *testing.F) {
	f.Add(`{"tag":"payRequest","callback":"https://example.com/pay","minSendable":1,"maxSendable":5000,"metadata":"[]","commentAllowed":64}`)
	f.Add(`{"tag":"payRequest","callback":"https://127.1/","maxSendable":5000}`)
	f.Fuzz(func(t *testing.T, answer string) {
		server, client := net.Pipe()
		defer server.Close()
		dials := 0
		a := &cln.Addresses{Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(addr)
			if err != nil || net.ParseIP(host) != nil || strings.Trim(host[strings.LastIndexByte(host, '.')+1:], "0123456789") == "" {
				t.Errorf("%q: dialled %q", answer, addr)
			}
			if dials++; dials == 1 {
				return client, nil
			}
			return nil, errors.New("that will do")
		}}
		go func() {
			_, _ = server.Read(make([]byte, 4096))
			fmt.Fprintf(server, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer)
		}()
		_, _, err := a.Invoice(t.Context(), "bob@example.onion", 1000, "")
		if err == nil {
			t.Errorf("%q: an invoice", answer)
		}
	})
}
