package gateway_test

import (
	"errors"
	"io"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/paystream"
)

func TestTermsOpenViewInvoiceEnd(t *testing.T) {
	w := newWorld(t, nil)
	terms, err := w.client.Terms(t.Context())
	if err != nil || terms != testTerms {
		t.Fatalf("Terms = %v, %v", terms, err)
	}
	before := time.Now()
	a := w.open(t)
	want := paystream.View{Handle: w.hash.Handle(), Round: 1, DueMsat: 1000, DueIn: time.Minute, LateIn: time.Minute, Allowance: 1 << 40}
	if diff := cmp.Diff(want, a.View); diff != "" {
		t.Error(diff)
	}
	if a.Asked.Before(before) || a.Asked.After(time.Now()) {
		t.Errorf("asked at %v", a.Asked)
	}
	v, err := w.client.View(t.Context(), w.hash)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, v.View); diff != "" {
		t.Error(diff)
	}
	if inv, err := w.client.Invoice(t.Context(), w.hash, 2, 1000); err != nil || inv != "lnbc1example" {
		t.Errorf("Invoice = %q, %v", inv, err)
	}
	if _, err := w.client.Invoice(t.Context(), w.hash, 9, 1000); !errors.Is(err, paystream.ErrPaid) {
		t.Errorf("Invoice of a paid round: %v", err)
	}
	if _, err := w.client.End(t.Context(), w.hash, paystream.Preimage{1}); !errors.Is(err, paystream.ErrPreimage) {
		t.Errorf("End with another preimage: %v", err)
	}
	if _, err := w.client.End(t.Context(), w.hash, w.pre); err != nil {
		t.Errorf("End: %v", err)
	}
}

func TestTunnel(t *testing.T) {
	w := newWorld(t, nil)
	w.open(t)
	near, far := w.tunnel(t)
	mustWrite(t, near, "question")
	mustRead(t, far, "question")
	near.CloseWrite()
	if b, err := io.ReadAll(far); err != nil || len(b) > 0 {
		t.Fatalf("after the half-close the target read %q, %v", b, err)
	}
	mustWrite(t, far, "answer") // the other half still goes
	far.Close()
	if b, err := io.ReadAll(near); err != nil || string(b) != "answer" {
		t.Fatalf("the client read %q, %v", b, err)
	}
	eventually(t, "14 bytes counted", func() bool { return w.server.Used(w.hash.Handle()) == 14 })
}

func TestOpenAndConnectIsOneRoundTrip(t *testing.T) {
	w := newWorld(t, nil)
	conn, a, err := w.client.OpenAndConnect(t.Context(), w.intent, "example.com:443")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if a.Handle != w.hash.Handle() {
		t.Errorf("handle %q", a.Handle)
	}
	far := w.accept(t)
	mustWrite(t, far, "hello")
	mustRead(t, conn, "hello")
}

// The target may be reached before the answer to CONNECT is: what it says at
// once can come in the same packet.
func TestTunnelBytesThatComeWithTheHead(t *testing.T) {
	w := newWorld(t, nil)
	w.open(t)
	raw, err := w.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	mustWrite(t, raw, "CONNECT example.com:443 HTTP/1.1\r\nProxy-Authorization: Tops "+w.hash.Hex()+"\r\n\r\nearly")
	far := w.accept(t)
	mustRead(t, far, "early")
	mustRead(t, raw, "HTTP/1.1 200 OK\r\n\r\n")
	eventually(t, "5 bytes counted", func() bool { return w.server.Used(w.hash.Handle()) == 5 })
}

func TestErrorsCarryWhatTheySay(t *testing.T) {
	w := newWorld(t, nil)
	note := w.hash.RoundID(testTerms.Hash(), 2)
	changed := testTerms
	changed.RateMsat = 7
	for _, want := range []error{
		&paystream.Demand{DueMsat: 1000, Note: note},
		&paystream.Demand{Reason: paystream.ReasonLate},
		&paystream.TermsChanged{Terms: changed},
		&paystream.Busy{RetryAfter: 7 * time.Second, TooMany: true, Reason: "too often"},
		&paystream.Busy{RetryAfter: time.Minute, Reason: "node away"},
		paystream.ErrUnknown, paystream.ErrRetired, paystream.ErrConflict, paystream.ErrNotNow, paystream.ErrPreimage, paystream.ErrMalformed,
	} {
		w.payee.failWith(w.hash, want)
		_, open := w.client.Open(t.Context(), w.intent)
		_, view := w.client.View(t.Context(), w.hash)
		_, connect := w.client.Connect(t.Context(), w.hash, "example.com:443")
		_, _, both := w.client.OpenAndConnect(t.Context(), w.intent, "example.com:443")
		for name, got := range map[string]error{"Open": open, "View": view, "Connect": connect, "OpenAndConnect": both} {
			if !sameError(got, want) {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
	}
}

// sameError reports whether got wraps want, or an error that says the same.
func sameError(got, want error) bool {
	for ; got != nil; got = errors.Unwrap(got) {
		if reflect.DeepEqual(got, want) {
			return true
		}
	}
	return false
}

func TestAnErrorOfTheRelaysOwnIsNotTold(t *testing.T) {
	failed := make(chan error, 1)
	w := newWorld(t, func(c *gateway.Config) { c.Failed = func(err error) { failed <- err } })
	secret := errors.New("disk full at /secret")
	w.payee.failWith(w.hash, secret)
	_, err := w.client.Open(t.Context(), w.intent)
	var busy *paystream.Busy
	if !errors.As(err, &busy) || busy.Reason != "the relay cannot answer now" {
		t.Errorf("Open: %v", err)
	}
	if got := <-failed; got != secret {
		t.Errorf("Failed was told %v", got)
	}
}
