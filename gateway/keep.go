package gateway

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/el-tor/tops/paystream"
)

// Keep holds the control connection open, idle, under the pay stream's name,
// and makes it again when it is lost, so that tor does not retire the circuit
// (MaxCircuitDirtiness, NEWNYM). It returns when ctx ends, or with what the
// relay said when that will not change by asking again.
func (c *Client) Keep(ctx context.Context, h paystream.PaymentIDHash) error {
	const first, last = 250 * time.Millisecond, 30 * time.Second
	wait := first
	for {
		_, err := c.View(ctx, h)
		var busy *paystream.Busy
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			wait = first
			if err := c.idle(ctx); err != nil {
				return err
			}
		case errors.As(err, &busy):
			wait = max(wait, busy.RetryAfter)
		case isFinal(err):
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		wait = min(2*wait, last)
	}
}

// idle waits until the control connection is lost.
func (c *Client) idle(ctx context.Context) error {
	c.mu.Lock()
	l := c.line
	c.mu.Unlock()
	if l == nil {
		return nil
	}
	select {
	case <-l.dead:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// isFinal reports whether the relay, or the client's owner, has spoken.
func isFinal(err error) bool {
	var demand *paystream.Demand
	var changed *paystream.TermsChanged
	return errors.As(err, &demand) || errors.As(err, &changed) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, paystream.ErrUnknown) || errors.Is(err, paystream.ErrRetired) || errors.Is(err, paystream.ErrConflict)
}
