package client

import (
	"context"

	"github.com/el-tor/tops/paystream"
)

// Stop ends a pay stream at its user's wish, and the circuit that it pays for
// after the relay has been told.
func (c *Client) Stop(ctx context.Context, h paystream.Handle) error {
	if c.native != nil {
		return c.native.stop(ctx, h)
	}
	c.mu.Lock()
	p := c.byPay[h]
	c.mu.Unlock()
	if p == nil || p.current() != h {
		return c.Payer.Close(ctx, h, paystream.ReasonClient)
	}
	p.leave(ctx, paystream.ReasonClient)
	return nil
}
