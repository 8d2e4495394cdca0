package cln_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/internal/regtest"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// TestConformance is one test for the simulator and for real nodes, so that the two cannot drift apart. Real nodes are
// set up where lightningd and bitcoind are on the PATH; TestMain says in a line if they are not.
func TestConformance(t *testing.T) {
	for name, hidden := range map[string]bool{"public": false, "hidden": true} {
		t.Run("simulator, "+name, func(t *testing.T) {
			w := newWorld(t, options{limited: true, bob: clnsim.NodeOptions{Hidden: hidden}})
			conform(t, w.alice, w.bob, hidden)
			w.audit()
		})
		if regtest.Missing() != "" {
			continue
		}
		t.Run("lightningd, "+name, func(t *testing.T) {
			n := regtest.Start(t, regtest.Options{PublicPayee: !hidden})
			a, b := cln.NewClient(n.Payer.RPC), cln.NewClient(n.Payee.RPC)
			defer a.Close()
			defer b.Close()
			conform(t, a, b, hidden)
			decodes(t, a)
		})
	}
}

func conform(t *testing.T, alice, bob *cln.Client, hidden bool) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	fresh := func() string {
		b := make([]byte, 32)
		rand.Read(b)
		return hex.EncodeToString(b)
	}
	is := func(what string, err error, code cln.Code) {
		t.Helper()
		if !cln.HasCode(err, code) {
			t.Errorf("%s: %v, want %s", what, err, code)
		}
	}
	ok := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}

	// Offers: one description, one offer of ours. The node's own are one only if it is public.
	r := cln.NewReceiver(bob, cln.ReceiverOptions{})
	description := "conformance " + fresh()[:16]
	offer, err := r.Offer(ctx, description)
	ok("Offer", err)
	if again, err := r.Offer(ctx, description); err != nil || again.ID != offer.ID {
		t.Errorf("Offer again: %+v, %v", again, err)
	}
	if again, err := bob.MakeOffer(ctx, description); err != nil || (again.ID != offer.ID) != hidden {
		t.Errorf("offer again: %+v, %v", again, err)
	}
	if d, err := bob.Decode(ctx, offer.Bolt12); err != nil || (len(d.OfferPaths) > 0) != hidden {
		t.Errorf("decode: %+v, %v", d, err)
	}
	is("enableoffer of an active one", bob.EnableOffer(ctx, offer.ID), cln.CodeOfferActive)
	ok("disableoffer", bob.DisableOffer(ctx, offer.ID))
	is("disableoffer again", bob.DisableOffer(ctx, offer.ID), cln.CodeOfferInactive)
	if _, err = bob.MakeOffer(ctx, description); !hidden {
		is("offer, disabled", err, cln.CodeOfferExists)
	}
	_, err = alice.FetchInvoice(ctx, offer.Bolt12, 1000, "n", fresh(), 5*time.Second)
	is("fetchinvoice, disabled", err, cln.CodeOfferRefused)
	ok("enableoffer", bob.EnableOffer(ctx, offer.ID))

	// Where the payee's list of payments ends now.
	last := uint64(0)
	for {
		inv, err := bob.WaitAnyInvoice(ctx, last, 0)
		if err != nil {
			is("waitanyinvoice at the end", err, cln.CodeWaitTimeout)
			break
		}
		last = inv.PayIndex
	}

	// The wallet: the same request, the same invoice; paid once, whoever asks how often.
	wallet := cln.NewWallet(alice, cln.WalletOptions{})
	req := paystream.InvoiceRequest{
		Descriptor: policies.Descriptor{Kind: policies.Offer, Value: offer.Bolt12}, AmountMsat: 1000,
		Note: paystream.RoundID(fresh()), Metadata: fresh(), Timeout: 5 * time.Second,
	}
	inv, err := wallet.FetchInvoice(ctx, req)
	ok("FetchInvoice", err)
	if again, err := wallet.FetchInvoice(ctx, req); err != nil || again.PaymentHash != inv.PaymentHash {
		t.Errorf("FetchInvoice again: another payment hash, %v", err)
	}
	other := req
	other.Note = paystream.RoundID(fresh())
	if _, err := wallet.FetchInvoice(ctx, other); !errors.Is(err, paystream.ErrRefused) {
		t.Errorf("FetchInvoice, same metadata, other note: %v", err)
	}
	if p, err := wallet.Lookup(ctx, inv.PaymentHash); err != nil || p.Status != paystream.PaymentUnknown {
		t.Errorf("Lookup before: %+v, %v", p, err)
	}
	pay := paystream.PayRequest{Invoice: inv, MaxFeeMsat: 1000, RetryFor: 10 * time.Second}
	paid, err := wallet.Pay(ctx, pay)
	ok("Pay", err)
	if again, err := wallet.Pay(ctx, pay); err != nil || again != paid {
		t.Errorf("Pay again: %+v, %v, first %+v", again, err, paid)
	}
	if p, err := wallet.Lookup(ctx, inv.PaymentHash); err != nil || p != paid || p.Status != paystream.PaymentComplete {
		t.Errorf("Lookup: %+v, %v", p, err)
	}
	if _, err := wallet.FetchInvoice(ctx, req); !errors.Is(err, paystream.ErrRefused) {
		t.Errorf("FetchInvoice once paid: %v", err)
	}

	// The payee hears of it.
	got, err := bob.WaitAnyInvoice(ctx, last, 10*time.Second)
	ok("waitanyinvoice", err)
	if got.PayIndex <= last || got.PayerNote != string(req.Note) || got.OfferID != offer.ID || got.ReceivedMsat != 1000 ||
		got.PaymentHash != inv.PaymentHash || !strings.HasPrefix(got.Label, offer.ID+"-") {
		t.Errorf("settlement: %+v", got)
	}

	// Plain invoices.
	label := fresh() + "-1"
	text, err := r.Invoice(ctx, label, 1000, "TOPS pay stream")
	ok("Invoice", err)
	if again, err := r.Invoice(ctx, label, 1000, "TOPS pay stream"); err != nil || again != text {
		t.Errorf("Invoice again: same %t, %v", again == text, err)
	}
	plain, err := wallet.CheckInvoice(ctx, req, text)
	ok("CheckInvoice", err)
	_, err = wallet.Pay(ctx, paystream.PayRequest{Invoice: plain, MaxFeeMsat: 1000, RetryFor: 10 * time.Second})
	ok("Pay a plain invoice", err)
	if err := r.DeleteInvoice(ctx, label); !errors.Is(err, paystream.ErrPaid) {
		t.Errorf("DeleteInvoice, paid: %v", err)
	}
	ok("DeleteInvoice, none", r.DeleteInvoice(ctx, fresh()))
	is("delinvoice, none", bob.DeleteInvoice(ctx, fresh(), "unpaid"), cln.CodeNoInvoice)
	ok("disableoffer", bob.DisableOffer(ctx, offer.ID))

	h, err := alice.Health(ctx)
	if err != nil || h.Channels == 0 || h.SpendableMsat == 0 {
		t.Errorf("health: %+v, %v", h, err)
	}
}

// decodes lets a real node read what the simulator's nodes make: offers, and invoices of both kinds.
func decodes(t *testing.T, real *cln.Client) {
	t.Helper()
	w := newWorld(t, options{bob: clnsim.NodeOptions{Hidden: true}})
	wallet := cln.NewWallet(w.alice, cln.WalletOptions{})
	d := w.offer()
	inv, err := wallet.FetchInvoice(t.Context(), request(d, 7))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := w.bob.MakeInvoice(t.Context(), "a label", 2000, "a description", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	hashed, err := w.bob.MakeInvoice(t.Context(), "another", 2000, `[["text/plain","a description"]]`, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"offer": d.Value, "BOLT12 invoice": inv.String, "BOLT11 invoice": plain, "BOLT11 invoice with a hash": hashed} {
		ours, err := w.alice.Decode(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := real.Decode(t.Context(), text)
		if err != nil || !theirs.Valid || !reflect.DeepEqual(theirs, ours) {
			t.Errorf("%s: lightningd reads %+v, %v; the simulator %+v", what, theirs, err, ours)
		}
	}
}
