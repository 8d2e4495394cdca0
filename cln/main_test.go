package cln_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/cln/internal/clndata"
	"github.com/el-tor/tops/internal/regtest"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// data are Core Lightning's schemas and recorded calls, if they are there: every call of every test is held to them.
var data *clndata.Data

func TestMain(m *testing.M) {
	var left string
	if data, left = clndata.Open(); left != "" {
		fmt.Fprintln(os.Stderr, left)
	}
	if left := regtest.Missing(); left != "" {
		fmt.Fprintln(os.Stderr, left)
	}
	goleak.VerifyTestMain(m)
}

// world is alice, who pays, and bob, who is paid, each with a client.
type world struct {
	*clnsim.World
	t          testing.TB
	alice, bob *cln.Client
	dir        string
}

type options struct {
	world      clnsim.Options
	alice, bob clnsim.NodeOptions
	limited    bool // bob drops onion messages like a real node
}

func newWorld(t testing.TB, o options) *world {
	t.Helper()
	if data != nil {
		o.world.Tap = func(_, method string, params, answer []byte) {
			if err := data.CheckCall(method, params, answer); err != nil {
				t.Error(err)
			}
		}
	}
	o.bob.Faults.UnlimitedOnion = !o.limited
	w := &world{World: clnsim.NewWorld(o.world), t: t, dir: t.TempDir()}
	t.Cleanup(w.Close)
	for name, opts := range map[string]clnsim.NodeOptions{"alice": o.alice, "bob": o.bob} {
		if err := w.AddNode(name, opts); err != nil {
			t.Fatal(err)
		}
		if err := w.Start(name, w.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	w.alice, w.bob = w.client("alice"), w.client("bob")
	return w
}

func (w *world) path(node string) string { return filepath.Join(w.dir, node) }

func (w *world) client(node string) *cln.Client {
	c := cln.NewClient(w.path(node))
	w.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (w *world) setFaults(node string, f clnsim.Faults) {
	w.t.Helper()
	f.UnlimitedOnion = true
	if err := w.SetFaults(node, f); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) outage(node string, on bool) {
	w.t.Helper()
	if err := w.SetOutage(node, on); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) audit() {
	w.t.Helper()
	if err := w.Audit(); err != nil {
		w.t.Error(err)
	}
}

// offer makes an offer of bob's.
func (w *world) offer() policies.Descriptor {
	w.t.Helper()
	o, err := w.bob.MakeOffer(w.t.Context(), "a relay")
	if err != nil {
		w.t.Fatal(err)
	}
	return policies.Descriptor{Kind: policies.Offer, Value: o.Bolt12}
}

// request is an invoice request for the i-th note.
func request(d policies.Descriptor, i int) paystream.InvoiceRequest {
	return paystream.InvoiceRequest{
		Descriptor: d, AmountMsat: 1000, Note: note(i), Metadata: fmt.Sprintf("%064x", 1<<40+i), Timeout: 5 * time.Second,
	}
}

func note(i int) paystream.RoundID { return paystream.RoundID(fmt.Sprintf("%064x", i)) }

// pay fetches and pays the i-th invoice.
func (w *world) pay(wallet *cln.Wallet, d policies.Descriptor, i int) paystream.Invoice {
	w.t.Helper()
	inv, err := wallet.FetchInvoice(w.t.Context(), request(d, i))
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := wallet.Pay(w.t.Context(), payRequest(inv)); err != nil {
		w.t.Fatal(err)
	}
	return inv
}

func payRequest(inv paystream.Invoice) paystream.PayRequest {
	return paystream.PayRequest{Invoice: inv, MaxFeeMsat: 100, RetryFor: time.Second}
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for a condition that nothing announces.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came to this: %s", what)
		}
	}
}

// noSecrets fails if an error's text holds what must not reach a log.
func noSecrets(t testing.TB, err error, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		if s != "" && strings.Contains(err.Error(), s) {
			t.Errorf("the error holds a secret: %v", err)
		}
	}
}
