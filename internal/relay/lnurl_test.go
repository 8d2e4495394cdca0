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
	"golang.org/x/time/rate"
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
		Opening: func(paystream.Load) paystream.Opening { return paystream.OpenAhead },
	})
	if err := payee.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- payee.Run(ctx) }()
	defer func() { cancel(); <-ended }()

	address := relay.Address{
		Name: descriptor.Value, MaxMsat: 10_000, Invoice: payee.InvoiceForNote, Ahead: payee.InvoiceAhead, Strangers: rate.NewLimiter(1, 10),
	}
	srv := httptest.NewTLSServer(address) // whose certificate is for example.com
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	wallet := cln.NewWallet(alice, cln.WalletOptions{Addresses: &cln.Addresses{RootCAs: roots, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", srv.Listener.Addr().String())
	}}})

	hash := paystream.NewPreimage().Hash()
	request := paystream.InvoiceRequest{Descriptor: descriptor, AmountMsat: 1000, Note: hash.RoundID(terms.Hash(), 2), Timeout: 5 * time.Second}
	tooMuch := request
	tooMuch.AmountMsat = 1001
	if _, err := wallet.FetchInvoice(ctx, tooMuch); !errors.Is(err, paystream.ErrRefused) {
		t.Errorf("more than an opening costs: %v", err)
	}
	intent := paystream.Intent{Hash: hash, TermsHash: terms.Hash()}
	pay := func(want int64) {
		t.Helper()
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
		var got int64
		for end := time.Now().Add(10 * time.Second); got != want; time.Sleep(5 * time.Millisecond) {
			v, err := payee.Admit(ctx, intent) // the same again gives the same
			if got = v.BalanceMsat; time.Now().After(end) {
				t.Fatalf("the relay credits %d msat of %d: %v", got, want, err)
			}
		}
	}
	var demand *paystream.Demand
	if _, err := payee.Admit(ctx, intent); !errors.As(err, &demand) || demand.Note != request.Note {
		t.Fatalf("the opening: %v", err)
	}
	pay(1000)
	request.Note = hash.RoundID(terms.Hash(), 3)
	pay(2000)
	if err := w.Audit(); err != nil {
		t.Error(err)
	}
}

func TestLightningAddressSaysNo(t *testing.T) {
	note := strings.Repeat("ab", 32)
	var fail error
	address := relay.Address{Name: "relay@abc.onion", MaxMsat: 5000, Invoice: func(context.Context, paystream.RoundID, int64, string) (string, error) {
		return "lnbc1", fail
	}, Ahead: func(context.Context, paystream.RoundID, int64, string) (string, error) { return "lnbc2", nil }, Strangers: rate.NewLimiter(0, 1)}
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
		{"/lnurlp/callback/relay?amount=1000&comment=" + note, paystream.ErrUnknown, `"pr":"lnbc2"`, 200},
		{"/lnurlp/callback/relay?amount=1000&comment=" + note, paystream.ErrUnknown, "too many requests for new pay streams", 200},
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

// Whatever is asked, the answer is JSON, and no invoice is for more than it may.
func FuzzAddress(f *testing.F) {
	f.Add("amount=1000&comment=" + strings.Repeat("ab", 32))
	f.Add("amount=9223372036854775808&comment=x")
	f.Add("amount=1&amount=2;comment=%zz")
	address := relay.Address{Name: "relay@example.com", MaxMsat: 5000, Invoice: func(_ context.Context, note paystream.RoundID, msat int64, _ string) (string, error) {
		if len(note) != 64 || msat < 1 || msat > 5000 {
			panic("this should have been refused")
		}
		return "lnbc1", nil
	}}
	f.Fuzz(func(t *testing.T, query string) {
		req := httptest.NewRequest(http.MethodGet, "/lnurlp/callback/relay", nil)
		req.URL.RawQuery = query
		rec := httptest.NewRecorder()
		address.ServeHTTP(rec, req)
		var v struct{ PR, Status, Reason string }
		if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil || (v.PR == "") != (v.Status == "ERROR" && v.Reason != "") {
			t.Errorf("%q: %s", query, rec.Body)
		}
	})
}
