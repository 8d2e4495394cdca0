package cln_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

func TestFetchAndPay(t *testing.T) {
	for name, hide := range map[string][]string{"xpay": nil, "pay": {"xpay"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, options{alice: clnsim.NodeOptions{Hide: hide, Faults: clnsim.Faults{Hops: 1, FeeBaseMsat: 7}}})
			wallet := cln.NewWallet(w.alice, cln.WalletOptions{})
			inv, err := wallet.FetchInvoice(t.Context(), request(w.offer(), 1))
			if err != nil {
				t.Fatal(err)
			}
			if in := time.Until(inv.Expires); in < 7100*time.Second || in > 7200*time.Second {
				t.Errorf("expires in %s", in)
			}
			if p, err := wallet.Lookup(t.Context(), inv.PaymentHash); err != nil || p.Status != paystream.PaymentUnknown {
				t.Errorf("before: %+v, %v", p, err)
			}
			want := paystream.Payment{PaymentHash: inv.PaymentHash, Status: paystream.PaymentComplete, AmountMsat: 1000, SentMsat: 1007}
			for range 2 { // the second time it is paid already
				got, err := wallet.Pay(t.Context(), payRequest(inv))
				if d := cmp.Diff(want, got); d != "" || err != nil {
					t.Errorf("paid: %v %s", err, d)
				}
			}
			got, err := wallet.Lookup(t.Context(), inv.PaymentHash)
			if d := cmp.Diff(want, got); d != "" || err != nil {
				t.Errorf("looked up: %v %s", err, d)
			}
			w.audit()
		})
	}
}

func TestFetchErrors(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(w *world, req *paystream.InvoiceRequest)
		want    error
	}{
		"dropped": {func(w *world, req *paystream.InvoiceRequest) {
			w.setFaults("alice", clnsim.Faults{DropRate: 1})
			req.Timeout = time.Second
		}, paystream.ErrTryAgain},
		"payee offline": {func(w *world, _ *paystream.InvoiceRequest) {
			if err := w.SetOffline("bob", true); err != nil {
				w.t.Fatal(err)
			}
		}, paystream.ErrTryAgain},
		"hung up":          {func(w *world, _ *paystream.InvoiceRequest) { w.setFaults("alice", clnsim.Faults{HangUpRate: 1}) }, paystream.ErrTryAgain},
		"own node away":    {func(w *world, _ *paystream.InvoiceRequest) { w.outage("alice", true) }, paystream.ErrUnavailable},
		"no offer":         {func(_ *world, req *paystream.InvoiceRequest) { req.Descriptor.Value = "lno1qqqq" }, paystream.ErrRefused},
		"an address":       {func(_ *world, req *paystream.InvoiceRequest) { req.Descriptor.Kind = policies.LightningAddress }, paystream.ErrRefused},
		"other metadata's": {func(w *world, req *paystream.InvoiceRequest) { w.fetchOther(*req) }, paystream.ErrRefused},
		"disabled": {func(w *world, req *paystream.InvoiceRequest) {
			d, err := w.alice.Decode(w.t.Context(), req.Descriptor.Value)
			if err != nil {
				w.t.Fatal(err)
			}
			if err := w.bob.DisableOffer(w.t.Context(), d.OfferID); err != nil {
				w.t.Fatal(err)
			}
		}, paystream.ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			req := request(w.offer(), 1)
			c.prepare(w, &req)
			inv, err := cln.NewWallet(w.alice, cln.WalletOptions{}).FetchInvoice(t.Context(), req)
			if !errors.Is(err, c.want) || inv != (paystream.Invoice{}) {
				t.Fatalf("%+v, %v; want %v", inv, err, c.want)
			}
			noSecrets(t, err, string(req.Note), req.Metadata)
		})
	}
}

// fetchOther asks for another amount under the same metadata.
func (w *world) fetchOther(req paystream.InvoiceRequest) {
	w.t.Helper()
	if _, err := w.alice.FetchInvoice(w.t.Context(), req.Descriptor.Value, 5000, string(req.Note), req.Metadata, time.Second); err != nil {
		w.t.Fatal(err)
	}
}

// A BIP 353 name leads to an offer, and from there on nothing differs.
func TestFetchFromName(t *testing.T) {
	w := newWorld(t, options{})
	wallet := cln.NewWallet(w.alice, cln.WalletOptions{})
	d := policies.Descriptor{Kind: policies.BIP353, Value: "relay@example.com"}
	if _, err := wallet.FetchInvoice(t.Context(), request(d, 1)); !errors.Is(err, paystream.ErrTryAgain) {
		t.Errorf("a name that is not there: %v", err)
	}
	w.SetName(d.Value, w.offer().Value)
	w.pay(wallet, d, 1)
	if b := w.Balances()["bob"]; b.ReceivedMsat != 1000 {
		t.Errorf("%+v", b)
	}
	if _, err := wallet.CheckInvoice(t.Context(), request(d, 2), d.Value); !errors.Is(err, paystream.ErrRefused) {
		t.Errorf("a name for an invoice: %v", err)
	}
}

// After a doubt the same request gets the same invoice.
func TestFetchAgain(t *testing.T) {
	w := newWorld(t, options{})
	wallet := cln.NewWallet(w.alice, cln.WalletOptions{})
	req := request(w.offer(), 1)
	w.setFaults("alice", clnsim.Faults{HangUpRate: 1})
	if _, err := wallet.FetchInvoice(t.Context(), req); !errors.Is(err, paystream.ErrTryAgain) {
		t.Fatal(err)
	}
	w.setFaults("alice", clnsim.Faults{})
	one, err := wallet.FetchInvoice(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	two, err := wallet.FetchInvoice(t.Context(), req)
	if err != nil || one != two {
		t.Errorf("%v, %v, %v", one, two, err)
	}
}

func TestPayErrors(t *testing.T) {
	offline := func(node string) func(*world) {
		return func(w *world) {
			if err := w.SetOffline(node, true); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	faults := func(node string, f clnsim.Faults) func(*world) { return func(w *world) { w.setFaults(node, f) } }
	for name, c := range map[string]struct {
		prepare func(w *world)
		want    error
		moved   bool // in the end, once everything is well again
	}{
		"lost on the way":  {faults("alice", clnsim.Faults{FailRate: 1}), paystream.ErrTryAgain, false},
		"refused":          {faults("bob", clnsim.Faults{Refuse: true}), paystream.ErrRefused, false},
		"routing too dear": {faults("alice", clnsim.Faults{Hops: 1, FeeBaseMsat: 1000}), paystream.ErrFee, false},
		"payee offline":    {offline("bob"), paystream.ErrTryAgain, false},
		"no peers":         {offline("alice"), paystream.ErrTryAgain, false},
		"node away":        {func(w *world) { w.outage("alice", true) }, paystream.ErrUnavailable, false},
		"stuck":            {faults("alice", clnsim.Faults{StuckRate: 1, StuckFor: 600 * time.Millisecond}), paystream.ErrHeld, true},
		"stuck and lost":   {faults("alice", clnsim.Faults{StuckRate: 1, StuckFor: 600 * time.Millisecond, StuckFails: true}), paystream.ErrHeld, false},
		"no answer":        {faults("alice", clnsim.Faults{HangUpRate: 1}), paystream.ErrHeld, true},
		"reads pending":    {faults("alice", clnsim.Faults{FailRate: 1, Linger: 600 * time.Millisecond}), paystream.ErrHeld, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			wallet := cln.NewWallet(w.alice, cln.WalletOptions{})
			d := w.offer()
			w.pay(wallet, d, 7) // so that the wallet knows how this node pays
			inv, err := wallet.FetchInvoice(t.Context(), request(d, 1))
			if err != nil {
				t.Fatal(err)
			}
			c.prepare(w)
			patience := 1400 * time.Millisecond // more than retry_for, which is a second at least
			if strings.HasPrefix(name, "stuck") {
				patience = 200 * time.Millisecond
			}
			_, err = wallet.Pay(within(t, patience), payRequest(inv))
			if !errors.Is(err, c.want) {
				t.Fatalf("%v; want %v", err, c.want)
			}
			noSecrets(t, err, inv.String, inv.PaymentHash)

			w.setFaults("alice", clnsim.Faults{})
			w.outage("alice", false)
			eventually(t, "the node knows", func() bool {
				p, err := wallet.Lookup(t.Context(), inv.PaymentHash)
				return err == nil && p.Status != paystream.PaymentPending
			})
			p, err := wallet.Lookup(t.Context(), inv.PaymentHash)
			if err != nil || (p.Status == paystream.PaymentComplete) != c.moved {
				t.Errorf("in the end %+v, %v; want moved %t", p, err, c.moved)
			}
			w.audit()
		})
	}
}

// Whoever pays the same invoice twice at once pays it once.
func TestPayTwiceAtOnce(t *testing.T) {
	w := newWorld(t, options{alice: clnsim.NodeOptions{Faults: clnsim.Faults{PayDelay: 50 * time.Millisecond}}})
	wallet := cln.NewWallet(w.alice, cln.WalletOptions{})
	inv, err := wallet.FetchInvoice(t.Context(), request(w.offer(), 1))
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 5)
	for range 5 {
		go func() {
			_, err := wallet.Pay(t.Context(), payRequest(inv))
			errs <- err
		}()
	}
	settled := 0
	for range 5 {
		switch err := <-errs; {
		case err == nil:
			settled++
		case !errors.Is(err, paystream.ErrHeld):
			t.Errorf("%v", err)
		}
	}
	if settled == 0 || len(w.Payments()) != 1 {
		t.Errorf("%d settled, payments %v", settled, w.Payments())
	}
	w.audit()
}

// Eight at once get their invoices all the same, since they take turns.
func TestFetchTakesTurns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{limited: true})
	wallet := cln.NewWallet(w.alice, cln.WalletOptions{})
	d := w.offer()
	var wg sync.WaitGroup
	start := time.Now()
	for i := range 8 {
		wg.Go(func() {
			if _, err := wallet.FetchInvoice(t.Context(), request(d, i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(start); took < 7*250*time.Millisecond {
		t.Errorf("eight requests in %s", took)
	}
	if _, err := wallet.FetchInvoice(t.Context(), request(d, 8)); err != nil {
		t.Error(err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := wallet.FetchInvoice(soon, request(d, 9)); !errors.Is(err, paystream.ErrTryAgain) {
		t.Errorf("no turn in time: %v", err)
	}
}

// A plain invoice from the gateway is held to the same request.
func TestCheckInvoice(t *testing.T) {
	w := newWorld(t, options{})
	wallet := cln.NewWallet(w.alice, cln.WalletOptions{})
	req := request(w.offer(), 1)
	plain := func(c *cln.Client, label string, amount cln.Msat, expiry time.Duration) string {
		text, err := c.MakeInvoice(t.Context(), label, amount, "TOPS pay stream", expiry)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	good := plain(w.bob, "good", 1000, time.Hour)
	inv, err := wallet.CheckInvoice(t.Context(), req, good)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := wallet.Pay(t.Context(), payRequest(inv)); err != nil || p.AmountMsat != 1000 {
		t.Errorf("%+v, %v", p, err)
	}
	fetched, err := wallet.FetchInvoice(t.Context(), request(req.Descriptor, 2))
	if err != nil {
		t.Fatal(err)
	}
	late := cln.NewWallet(w.alice, cln.WalletOptions{Now: func() time.Time { return time.Now().Add(2 * time.Hour) }})
	for name, c := range map[string]struct {
		wallet *cln.Wallet
		text   string
	}{
		"other amount":         {wallet, plain(w.bob, "a", 1001, time.Hour)},
		"other node":           {wallet, plain(w.alice, "b", 1000, time.Hour)},
		"expired":              {late, good},
		"an offer":             {wallet, req.Descriptor.Value},
		"another round's":      {wallet, fetched.String},
		"nothing":              {wallet, ""},
		"changed":              {wallet, good[:len(good)-1] + map[bool]string{true: "p", false: "q"}[strings.HasSuffix(good, "q")]},
		"changed but encoding": {wallet, fetched.String[:len(fetched.String)-5] + "qqqqq"},
	} {
		if inv, err := c.wallet.CheckInvoice(t.Context(), req, c.text); !errors.Is(err, paystream.ErrRefused) {
			t.Errorf("%s: %+v, %v", name, inv, err)
		}
	}
}
