package cln

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/paystream"
)

// An invoice that differs in any point from what was asked for is not paid, even if the node that we ask lets it pass.
func TestCheckBolt12(t *testing.T) {
	req := paystream.InvoiceRequest{AmountMsat: 1000, Note: "note", Metadata: "cd"}
	offer := Decoded{OfferID: "offer", OfferIssuerID: "issuer"}
	good := Decoded{
		Type: "bolt12 invoice", Valid: true, OfferID: "offer", InvoiceNodeID: "issuer", InvoiceAmount: 1000, PayerNote: "note",
		RequestMetadata: "cd", InvoiceHash: strings.Repeat("0a", 32), InvoiceCreated: Time{time.Unix(1000, 0)}, InvoiceExpiry: 7200,
	}
	inv, err := checkBolt12(req, offer, good)
	if err != nil || inv.AmountMsat != 1000 || !inv.Expires.Equal(time.Unix(8200, 0)) || inv.PaymentHash != good.InvoiceHash {
		t.Fatalf("%+v, %v", inv, err)
	}
	for name, change := range map[string]func(d *Decoded){
		"not valid":      func(d *Decoded) { d.Valid = false },
		"other offer":    func(d *Decoded) { d.OfferID = "another" },
		"other issuer":   func(d *Decoded) { d.InvoiceNodeID = "another" },
		"more":           func(d *Decoded) { d.InvoiceAmount = 1001 },
		"less":           func(d *Decoded) { d.InvoiceAmount = 999 },
		"other note":     func(d *Decoded) { d.PayerNote = "Note" },
		"other metadata": func(d *Decoded) { d.RequestMetadata = "ce" },
		"no hash":        func(d *Decoded) { d.InvoiceHash = "" },
		"odd hash":       func(d *Decoded) { d.InvoiceHash = strings.Repeat("0A", 32) },
	} {
		d := good
		change(&d)
		if inv, err := checkBolt12(req, offer, d); err == nil || inv != (paystream.Invoice{}) {
			t.Errorf("%s: %+v, %v", name, inv, err)
		}
	}
	for _, seconds := range []int64{-1, 1<<63 - 1} {
		d := good
		d.InvoiceExpiry = seconds
		if inv, err := checkBolt12(req, offer, d); err != nil || inv.Expires.Before(time.Unix(1000, 0)) || inv.Expires.Year() > 1981 {
			t.Errorf("expiry %d: %s, %v", seconds, inv.Expires, err)
		}
	}
}

func TestPayErrorClass(t *testing.T) {
	for code, want := range map[Code]error{
		CodeDestination: paystream.ErrRefused, CodeInvoiceExpired: paystream.ErrRefused, CodeParams: paystream.ErrRefused,
		CodeTooExpensive: paystream.ErrFee, CodeStillPending: paystream.ErrHeld, CodeAlreadyPaid: paystream.ErrHeld,
		CodeNoRoute: paystream.ErrTryAgain, CodePayment: paystream.ErrTryAgain, CodePayTimeout: paystream.ErrTryAgain, CodeGeneric: paystream.ErrTryAgain,
	} {
		if got := payErrorClass(&Error{Code: code}); got != want {
			t.Errorf("%s: %v, want %v", code, got, want)
		}
	}
	if got := payErrorClass(errors.New("no answer")); got != paystream.ErrHeld {
		t.Errorf("no answer: %v", got)
	}
}

func TestFetchErrorClass(t *testing.T) {
	for code, want := range map[Code]error{
		CodeFetchTimeout: paystream.ErrTryAgain, CodeOfferNoRoute: paystream.ErrTryAgain, CodeGeneric: paystream.ErrTryAgain,
		CodeOfferRefused: paystream.ErrRefused, CodeOfferExpired: paystream.ErrRefused, CodeParams: paystream.ErrRefused,
	} {
		if err := fetchError(&Error{Code: code}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", code, err, want)
		}
	}
}
