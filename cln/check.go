package cln

import (
	"errors"
	"fmt"
	"time"

	"github.com/el-tor/tops/paystream"
)

// checkBolt12 holds a decoded BOLT12 invoice to what was asked for. The node has verified the signature (valid), and
// fetchinvoice most of the rest; but it is our money, and an invoice may also have come another way.
func checkBolt12(req paystream.InvoiceRequest, offer, d Decoded) (paystream.Invoice, error) {
	switch {
	case !d.Valid:
		return paystream.Invoice{}, errors.New("it is not valid")
	case d.OfferID != offer.OfferID:
		return paystream.Invoice{}, errors.New("it is for another offer")
	case offer.OfferIssuerID != "" && d.InvoiceNodeID != offer.OfferIssuerID:
		return paystream.Invoice{}, errors.New("another node issued it")
	case d.InvoiceAmount != Msat(req.AmountMsat):
		return paystream.Invoice{}, fmt.Errorf("it is for %d msat instead of %d", d.InvoiceAmount, req.AmountMsat)
	case d.PayerNote != string(req.Note):
		return paystream.Invoice{}, errors.New("it carries another note")
	case d.RequestMetadata != req.Metadata:
		return paystream.Invoice{}, errors.New("it answers another request")
	case !isHash(d.InvoiceHash):
		return paystream.Invoice{}, errors.New("it has no payment hash")
	}
	return invoice(d.InvoiceHash, d.InvoiceAmount, d.InvoiceCreated, d.InvoiceExpiry), nil
}

// checkBolt11 does the same for a plain invoice. The payee is known if the terms have an offer; the hash of the
// description, if they have a Lightning Address.
func checkBolt11(req paystream.InvoiceRequest, offer, d Decoded) (paystream.Invoice, error) {
	switch {
	case !d.Valid:
		return paystream.Invoice{}, errors.New("it is not valid")
	case offer.OfferIssuerID != "" && d.Payee != offer.OfferIssuerID:
		return paystream.Invoice{}, errors.New("another node issued it")
	case offer.DescriptionHash != "" && d.DescriptionHash != offer.DescriptionHash:
		return paystream.Invoice{}, errors.New("it commits to another description")
	case d.AmountMsat != Msat(req.AmountMsat):
		return paystream.Invoice{}, fmt.Errorf("it is for %d msat instead of %d", d.AmountMsat, req.AmountMsat)
	case !isHash(d.PaymentHash):
		return paystream.Invoice{}, errors.New("it has no payment hash")
	}
	return invoice(d.PaymentHash, d.AmountMsat, d.CreatedAt, d.Expiry), nil
}

func invoice(hash string, amount Msat, created Time, seconds int64) paystream.Invoice {
	const most = 10 * 365 * 24 * 3600 // so that the sum stays a time
	return paystream.Invoice{
		PaymentHash: hash, AmountMsat: int64(amount),
		Expires: created.Add(time.Duration(min(max(seconds, 0), most)) * time.Second),
	}
}

// fetchError says what an error on the way to an invoice means. No money moves there, so without an answer the same may
// simply be asked again.
func fetchError(err error) error {
	class := paystream.ErrTryAgain
	var e *Error
	switch {
	case errors.Is(err, ErrUnreachable):
		class = paystream.ErrUnavailable
	case errors.As(err, &e):
		switch e.Code {
		case CodeParams, CodeOfferExpired, CodeOfferRefused, CodeUnknownMethod:
			class = paystream.ErrRefused
		}
	}
	return fmt.Errorf("%w: %w", class, err)
}

func isHash(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
