package paystream

import (
	"context"
	"errors"
	"time"

	"github.com/el-tor/tops/policies"
)

// fetch gets the invoice, from the payee's node or, when that cannot be reached
// or will not, from the relay's gateway.
func (p *Payer) fetch(ctx context.Context, s *payerStream, y *payerPayment) {
	p.mu.Lock()
	req := InvoiceRequest{
		Descriptor: s.terms.Descriptor, AmountMsat: y.AmountMsat, Note: y.Note,
		Metadata: p.metadata(y.Note, y.AmountMsat, y.Attempt),
		Timeout:  min(askFor(s.terms.Descriptor.Kind), s.payBy().Sub(p.cfg.Now())),
	}
	link, other := s.link, y.tries > 1 && (y.opening || !p.payMomentLocked(s, y.Round).After(p.cfg.Now()))
	p.mu.Unlock()

	bounded, cancel := context.WithTimeout(ctx, req.Timeout+time.Second)
	defer cancel()
	inv, err := p.cfg.Wallet.FetchInvoice(bounded, req)
	if err != nil && link != nil && (errors.Is(err, ErrRefused) || errors.Is(err, ErrTryAgain) && other) {
		inv, err = p.plainInvoice(ctx, s, link, y, req)
	}
	switch {
	case err != nil:
		p.locked(func() { p.laterLocked(s, y, ReasonWallet) })
	case inv.PaymentHash == "" || inv.AmountMsat != y.AmountMsat:
		p.drop(ctx, s, y)
	default:
		p.move(ctx, s, y, paymentInvoiced, func(r *PaymentRecord) {
			r.Invoice, r.PaymentHash, r.Expires = inv.String, inv.PaymentHash, inv.Expires
		})
	}
}

// askFor is how long a request for an invoice may take. A Lightning Address is asked
// twice, through a circuit that is made for it.
func askFor(k policies.Kind) time.Duration {
	if k == policies.LightningAddress {
		return 10 * time.Second
	}
	return 5 * time.Second
}

// plainInvoice asks the gateway for a BOLT11 invoice and holds it to the same
// request.
func (p *Payer) plainInvoice(ctx context.Context, s *payerStream, link Link, y *payerPayment, req InvoiceRequest) (Invoice, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	bolt11, err := link.Invoice(ctx, s.hash, y.Round, y.AmountMsat)
	if err != nil {
		return Invoice{}, err
	}
	return p.cfg.Wallet.CheckInvoice(ctx, req, bolt11)
}
