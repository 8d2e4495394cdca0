package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/el-tor/tops/paystream"
)

// open is POST /tops/v1/paystreams.
func (c *conn) open(ctx context.Context, payee Payee, req request) (int, any, error) {
	var b intentBody
	if err := req.unmarshal(&b); err != nil {
		return 0, nil, err
	}
	in, err := b.intent()
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", paystream.ErrMalformed, err)
	}
	v, err := payee.Admit(ctx, in)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, newViewBody(v), c.show(ctx, payee, in.Hash)
}

// view is GET /tops/v1/paystream.
func (c *conn) view(ctx context.Context, payee Payee, req request) (int, any, error) {
	h, err := authorization(req.fields["authorization"])
	if err != nil {
		return 0, nil, err
	}
	v, err := payee.View(ctx, h)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, newViewBody(v), c.show(ctx, payee, h)
}

// end is DELETE /tops/v1/paystream. The connection was the pay stream's and
// would be cut with it, so it lets go before: the answer should arrive.
func (c *conn) end(ctx context.Context, payee Payee, req request) (int, any, error) {
	h, err := authorization(req.fields["authorization"])
	if err != nil {
		return 0, nil, err
	}
	var b endBody
	if err := req.unmarshal(&b); err != nil {
		return 0, nil, err
	}
	p, err := paystream.ParsePreimage(b.Preimage)
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", paystream.ErrMalformed, err)
	}
	c.server.detach(c)
	v, err := payee.End(ctx, h, p)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, newViewBody(v), nil
}

// invoice is POST /tops/v1/invoices.
func (c *conn) invoice(ctx context.Context, payee Payee, req request) (int, any, error) {
	h, err := authorization(req.fields["authorization"])
	if err != nil {
		return 0, nil, err
	}
	var b invoiceRequestBody
	if err := req.unmarshal(&b); err != nil {
		return 0, nil, err
	}
	if b.Round < 0 || b.Round > 120 || b.AmountMsat < 1 || b.AmountMsat > maxMsat {
		return 0, nil, fmt.Errorf("%w: round or amount_msat is out of range", paystream.ErrMalformed)
	}
	invoice, err := payee.Invoice(ctx, h, b.Round, b.AmountMsat)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, invoiceBody{Invoice: invoice}, c.show(ctx, payee, h)
}

// show makes the connection one of the pay stream's, with its right to be idle:
// of the one before it, as for tunnels, while it has not begun. A pay stream that
// is over has no connections; its questions are answered all the same.
func (c *conn) show(ctx context.Context, payee Payee, h paystream.PaymentIDHash) error {
	err := c.server.attach(c, h.Handle(), false)
	if errors.Is(err, paystream.ErrUnknown) {
		handle, notNow := payee.Authorize(ctx, h)
		if notNow != nil {
			return nil
		}
		err = c.server.attach(c, handle, false)
	}
	if errors.Is(err, paystream.ErrUnknown) {
		return nil
	}
	if err == nil {
		c.server.room.welcome(c)
	}
	return err
}

func (r request) unmarshal(v any) error {
	if r.length < 0 {
		return errLength
	}
	if err := unmarshal(r.body, v); err != nil {
		return fmt.Errorf("%w: %w", paystream.ErrMalformed, err)
	}
	return nil
}
