package cln

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// WalletOptions of a [Wallet]. The zero value is usable.
type WalletOptions struct {
	// MaxDelayBlocks is how long, in blocks, a payment that got stuck may hold its money: 0 is 288, two days. Core
	// Lightning's own default is two weeks.
	MaxDelayBlocks int
	// Addresses asks Lightning Addresses for invoices; nil: terms with one are refused.
	Addresses *Addresses
	// Unpaced lets invoice requests go out as fast as they come: for nodes that do not drop any, such as a simulator's.
	Unpaced bool
	// Now is the clock that invoices expire by; nil is time.Now.
	Now func() time.Time
}

// Wallet pays through a Core Lightning node. It is safe for concurrent use.
type Wallet struct {
	c        *Client
	now      func() time.Time
	maxDelay int
	commands payCommands
	address  *Addresses
	pace     *pacer // nil: unpaced
	offers   *cache[Decoded]
	names    *cache[string]
}

var _ paystream.Wallet = (*Wallet)(nil)

// NewWallet returns a wallet over the client, which stays the caller's to close.
func NewWallet(c *Client, opts WalletOptions) *Wallet {
	if opts.MaxDelayBlocks == 0 {
		opts.MaxDelayBlocks = 288
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	w := &Wallet{c: c, now: opts.Now, maxDelay: opts.MaxDelayBlocks, address: opts.Addresses}
	w.offers = newCache(opts.Now, decodeOffer)
	w.names = newCache(opts.Now, resolveName)
	if !opts.Unpaced {
		w.pace = newPacer(opts.Now)
	}
	return w
}

// FetchInvoice implements [paystream.Wallet]. Requests to one payee are spread out, so that they are not dropped: a call
// waits for its turn, or fails with ErrTryAgain at once if its turn does not come before ctx ends.
func (w *Wallet) FetchInvoice(ctx context.Context, req paystream.InvoiceRequest) (paystream.Invoice, error) {
	if req.Descriptor.Kind == policies.LightningAddress && w.address != nil {
		return w.fetchFromAddress(ctx, req)
	}
	text, offer, err := w.offer(ctx, req.Descriptor)
	if err != nil {
		return paystream.Invoice{}, fetchError(err)
	}
	if err := w.pace.wait(ctx, offer.OfferIssuerID); err != nil {
		return paystream.Invoice{}, fmt.Errorf("%w: too many invoice requests to this payee: %w", paystream.ErrTryAgain, err)
	}
	invoice, err := w.c.FetchInvoice(ctx, text, Msat(req.AmountMsat), string(req.Note), req.Metadata, req.Timeout)
	if err != nil {
		return paystream.Invoice{}, fetchError(err)
	}
	return w.check(ctx, req, offer, invoice)
}

// CheckInvoice implements [paystream.Wallet]. A BOLT11 invoice carries no note; that it is for the round is the payee's
// own concern, since only the payee loses if it is not.
func (w *Wallet) CheckInvoice(ctx context.Context, req paystream.InvoiceRequest, invoice string) (paystream.Invoice, error) {
	var offer Decoded
	if req.Descriptor.Kind != policies.LightningAddress { // which does not say whose node it is
		var err error
		if _, offer, err = w.offer(ctx, req.Descriptor); err != nil {
			return paystream.Invoice{}, fetchError(err)
		}
	}
	return w.check(ctx, req, offer, invoice)
}

// Payable says whether payments to a descriptor can be asked for at all: the error wraps paystream.ErrRefused if it is an
// offer that is none. Nobody but the node is asked, so names are taken on trust.
func (w *Wallet) Payable(ctx context.Context, d policies.Descriptor) error {
	if d.Kind != policies.Offer {
		return nil
	}
	if _, _, err := w.offer(ctx, d); err != nil {
		return fetchError(err)
	}
	return nil
}

// offer returns the offer that a descriptor leads to, as text and decoded.
func (w *Wallet) offer(ctx context.Context, d policies.Descriptor) (text string, offer Decoded, err error) {
	switch d.Kind {
	case policies.Offer:
		text = d.Value
	case policies.BIP353:
		text, err = w.names.get(ctx, w.c, d.Value)
	default:
		err = &Error{Method: "fetchinvoice", Code: CodeParams, Message: fmt.Sprintf("no invoice can be fetched from a %s", d.Kind)}
	}
	if err == nil {
		offer, err = w.offers.get(ctx, w.c, text)
	}
	return text, offer, err
}

// fetchFromAddress is FetchInvoice for a Lightning Address. The note goes along as the comment.
func (w *Wallet) fetchFromAddress(ctx context.Context, req paystream.InvoiceRequest) (paystream.Invoice, error) {
	text, hash, err := w.address.Invoice(ctx, req.Descriptor.Value, req.AmountMsat, string(req.Note))
	if errors.As(err, new(*AddressError)) {
		return paystream.Invoice{}, fmt.Errorf("%w: %w", paystream.ErrRefused, err)
	}
	if err != nil {
		return paystream.Invoice{}, fmt.Errorf("%w: %w", paystream.ErrTryAgain, err)
	}
	return w.check(ctx, req, Decoded{DescriptionHash: hash}, text)
}

// check lets the node decode an invoice, and holds it to the request.
func (w *Wallet) check(ctx context.Context, req paystream.InvoiceRequest, offer Decoded, text string) (paystream.Invoice, error) {
	d, err := w.c.Decode(ctx, text)
	if err != nil {
		return paystream.Invoice{}, fetchError(err)
	}
	var inv paystream.Invoice
	switch d.Type {
	case "bolt12 invoice":
		inv, err = checkBolt12(req, offer, d)
	case "bolt11 invoice":
		inv, err = checkBolt11(req, offer, d)
	default:
		err = fmt.Errorf("it is a %q", d.Type)
	}
	if err == nil && inv.Expires.Before(w.now()) {
		err = errors.New("it has expired")
	}
	if err != nil {
		return paystream.Invoice{}, fmt.Errorf("%w: the invoice is not what was asked for: %w", paystream.ErrRefused, err)
	}
	inv.String = text
	return inv, nil
}

// Pay implements [paystream.Wallet]. After every error it asks listpays before it says that nothing moved.
func (w *Wallet) Pay(ctx context.Context, req paystream.PayRequest) (paystream.Payment, error) {
	command, err := w.commands.get(ctx, w.c)
	if err != nil {
		return paystream.Payment{}, fmt.Errorf("%w: %w", paystream.ErrUnavailable, err)
	}
	got, err := command.pay(ctx, w.c, req.Invoice.String, Msat(req.MaxFeeMsat), req.RetryFor, w.maxDelay)
	switch {
	case err == nil:
		return paystream.Payment{
			PaymentHash: req.Invoice.PaymentHash, Status: paystream.PaymentComplete,
			AmountMsat: int64(got.AmountMsat), SentMsat: int64(got.SentMsat),
		}, nil
	case errors.Is(err, ErrUnreachable):
		return paystream.Payment{}, fmt.Errorf("%w: %w", paystream.ErrUnavailable, err)
	case HasCode(err, CodeUnknownMethod):
		w.commands.forget()
		return paystream.Payment{}, fmt.Errorf("%w: %w", paystream.ErrTryAgain, err)
	}
	return w.doubt(ctx, req.Invoice.PaymentHash, err)
}

// doubt finds out what became of a payment whose command failed, even if ctx has ended.
func (w *Wallet) doubt(ctx context.Context, paymentHash string, err error) (paystream.Payment, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	p, lookupErr := w.Lookup(ctx, paymentHash)
	switch {
	case lookupErr != nil:
		return p, fmt.Errorf("%w: %w", paystream.ErrHeld, err)
	case p.Status == paystream.PaymentComplete:
		return p, nil
	case p.Status == paystream.PaymentPending:
		return p, fmt.Errorf("%w: %w", paystream.ErrHeld, err)
	}
	return p, fmt.Errorf("%w: %w", payErrorClass(err), err)
}

// payErrorClass is what an error of pay or xpay means, when nothing is complete or pending. Without an answer the node
// may only be about to begin, and so the payment is held even then.
func payErrorClass(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return paystream.ErrHeld
	}
	switch e.Code {
	case CodeDestination, CodeInvoiceExpired, CodeParams, 201:
		return paystream.ErrRefused
	case CodeTooExpensive:
		return paystream.ErrFee
	case CodeStillPending, CodeAlreadyPaid:
		return paystream.ErrHeld // and listpays will soon say so too
	}
	return paystream.ErrTryAgain
}

// Lookup implements [paystream.Wallet].
func (w *Wallet) Lookup(ctx context.Context, paymentHash string) (paystream.Payment, error) {
	rows, err := w.c.ListPays(ctx, paymentHash)
	if err != nil {
		return paystream.Payment{}, fmt.Errorf("%w: %w", paystream.ErrUnavailable, err)
	}
	p := paystream.Payment{PaymentHash: paymentHash}
	for _, r := range rows {
		switch {
		case r.Status == "complete":
			return paystream.Payment{
				PaymentHash: paymentHash, Status: paystream.PaymentComplete, AmountMsat: int64(r.AmountMsat), SentMsat: int64(r.SentMsat),
			}, nil
		case r.Status != "failed": // pending, and whatever a later version may call it
			p.Status = paystream.PaymentPending
		case p.Status == paystream.PaymentUnknown:
			p.Status = paystream.PaymentFailed
		}
	}
	return p, nil
}
