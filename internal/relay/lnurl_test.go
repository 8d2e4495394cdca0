package relay_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/relay"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal"
	"github.com/el-tor/tops/policies"
)

// A wallet without BOLT12 pays a round by the relay's Lightning Address, and the
// relay credits it.
func TestLightningAddress(t *testing.T) {
	w := clnsim.NewWorld(clnsim.Options{})
	defer w.Close()
	node := func(name string) *cln.Client {
		path := filepath.Join(t.TempDir(), "rpc")
		if err := w.AddNode(name, clnsim.NodeOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := w.Start(name, path); err != nil {
			t.Fatal(err)
		}
		c := cln.NewClient(path)
		t.Cleanup(func() { c.Close() })
		return c
	}
	alice, bob := node("alice"), node("bob")

	descriptor := policies.Descriptor{Kind: policies.LightningAddress, Value: "bob@example.com"}
	terms := policies.DefaultTerms(strings.Repeat("A", 40), descriptor, netip.MustParseAddrPort("192.0.2.1:9402"))
	payee := paystream.NewPayee(paystream.PayeeConfig{
		Terms: terms, Carrier: gateway.NewServer(gateway.Config{}), Journal: memjournal.New(), Now: time.Now,
		Receiver: cln.NewReceiver(bob, cln.ReceiverOptions{}), Ours: func(string) bool { return false },
	})
	if err := payee.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- payee.Run(ctx) }()
	defer func() { cancel(); <-ended }()

	address := relay.Address{Name: descriptor.Value, MaxMsat: 10_000, Invoice: payee.InvoiceForNote}
	srv := httptest.NewTLSServer(address) // whose certificate is for example.com
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	wallet := cln.NewWallet(alice, cln.WalletOptions{Addresses: &cln.Addresses{RootCAs: roots, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", srv.Listener.Addr().String())
	}}})

	hash := paystream.NewPreimage().Hash()
	request := paystream.InvoiceRequest{Descriptor: descriptor, AmountMsat: 1000, Note: hash.RoundID(terms.Hash(), 2), Timeout: 5 * time.Second}
	if _, err := wallet.FetchInvoice(ctx, request); !errors.Is(err, paystream.ErrRefused) || !strings.Contains(err.Error(), "the note of no pay stream") {
		t.Errorf("before the intent: %v", err)
	}
	if _, err := payee.Admit(ctx, paystream.Intent{Hash: hash, TermsHash: terms.Hash()}); err != nil {
		t.Fatal(err)
	}
	invoice, err := wallet.FetchInvoice(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := wallet.FetchInvoice(ctx, request); err != nil || again.String != invoice.String {
		t.Errorf("asked twice, another invoice, %v", err)
	}
	if _, err := wallet.Pay(ctx, paystream.PayRequest{Invoice: invoice, RetryFor: time.Second}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		v, err := payee.View(ctx, hash)
		if err != nil {
			t.Fatal(err)
		}
		if v.BalanceMsat == 1000 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the relay credits %d msat", v.BalanceMsat)
		}
	}
	if err := w.Audit(); err != nil {
		t.Error(err)
	}
}

func TestLightningAddressSaysNo(t *testing.T) {
	note := strings.Repeat("ab", 32)
	var fail error
	address := relay.Address{Name: "relay@abc.onion", MaxMsat: 5000, Invoice: func(context.Context, paystream.RoundID, int64, string) (string, error) {
		return "lnbc1", fail
	}}
	for _, tt := range []struct {
		path string
		fail error
		want string // in the answer
		code int
	}{
		{"/.well-known/lnurlp/relay", nil, `"callback":"http://abc.onion/lnurlp/callback/relay","commentAllowed":64,"maxSendable":5000,`, 200},
		{"/.well-known/lnurlp/other", nil, "", 404},
		{"/lnurlp/callback/relay?amount=1000&comment=" + note, nil, `"pr":"lnbc1"`, 200},
		{"/lnurlp/callback/relay?amount=5001&comment=" + note, nil, "amount is not 1 to 5000 msat", 200},
		{"/lnurlp/callback/relay?amount=-1&comment=" + note, nil, "amount is not", 200},
		{"/lnurlp/callback/relay?amount=1000&comment=" + strings.ToUpper(note), nil, "comment is not the note", 200},
		{"/lnurlp/callback/relay?amount=1000", nil, "comment is not the note", 200},
		{"/lnurlp/callback/relay?amount=1000&comment=" + note, paystream.ErrUnknown, "of no pay stream", 200},
		{"/lnurlp/callback/relay?amount=1000&comment=" + note, &paystream.Demand{Reason: paystream.ReasonLate}, "is over", 200},
		{"/lnurlp/callback/relay?amount=1000&comment=" + note, paystream.ErrUnavailable, "does not answer", 200},
	} {
		fail = tt.fail
		rec := httptest.NewRecorder()
		address.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, tt.path, nil))
		body := rec.Body.String()
		if rec.Code != tt.code || !strings.Contains(body, tt.want) || rec.Code == 200 && !json.Valid([]byte(body)) {
			t.Errorf("%s with %v: %d %s", tt.path, tt.fail, rec.Code, body)
		}
	}
}
