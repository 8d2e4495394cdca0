package cln_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// TestConformance is one test for the simulator and for real nodes, so that the two cannot drift apart. It runs against
// the simulator, and against a real pair as well when TOPS_CLN_PAYER and TOPS_CLN_PAYEE name the sockets of two regtest
// nodes, the first with a channel to the second. It may be run again on the same nodes.
func TestConformance(t *testing.T) {
	t.Run("simulator", func(t *testing.T) {
		w := newWorld(t, options{limited: true})
		conform(t, w.alice, w.bob)
		w.audit()
	})
	if payer, payee := os.Getenv("TOPS_CLN_PAYER"), os.Getenv("TOPS_CLN_PAYEE"); payer != "" && payee != "" {
		t.Run("lightningd", func(t *testing.T) {
			a, b := cln.NewClient(payer), cln.NewClient(payee)
			defer a.Close()
			defer b.Close()
			conform(t, a, b)
		})
	}
}

func conform(t *testing.T, alice, bob *cln.Client) {
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

	// Offers: one description, one offer.
	description := "conformance " + fresh()[:16]
	offer, err := bob.MakeOffer(ctx, description)
	ok("offer", err)
	if again, err := bob.MakeOffer(ctx, description); err != nil || again.ID != offer.ID {
		t.Errorf("offer again: %+v, %v", again, err)
	}
	is("enableoffer of an active one", bob.EnableOffer(ctx, offer.ID), cln.CodeOfferActive)
	ok("disableoffer", bob.DisableOffer(ctx, offer.ID))
	is("disableoffer again", bob.DisableOffer(ctx, offer.ID), cln.CodeOfferInactive)
	_, err = bob.MakeOffer(ctx, description)
	is("offer, disabled", err, cln.CodeOfferExists)
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
	r := cln.NewReceiver(bob, cln.ReceiverOptions{})
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
