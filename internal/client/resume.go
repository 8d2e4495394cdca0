package client

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
)

// resume takes up the pay streams of an earlier process: on their circuits, where
// tor still has them, or not at all. Money that was on its way is looked up in
// either case.
func (c *Client) resume(ctx context.Context) {
	defer c.forgetGone()
	if c.native != nil {
		c.native.resume(ctx, c.live)
		c.live = nil
		return
	}
	// A continuation comes after what it continues.
	slices.SortFunc(c.live, func(a, b paystream.PayerStatus) int { return a.Start.Compare(b.Start) })
	for _, st := range c.live {
		if err := c.resumeOne(ctx, st); err != nil {
			c.failed(fmt.Errorf("pay stream %s: %w", st.Handle, err))
			if err := c.Payer.Close(ctx, st.Handle, paystream.ReasonCircuit); err != nil {
				c.failed(err)
			}
		}
	}
	c.live = nil
}

// forgetGone drops what was spent on circuits that are no more from their limits: a tor
// that was restarted gives their ids to others.
func (c *Client) forgetGone() {
	for _, s := range c.cfg.Spent {
		c.mu.Lock()
		known := c.paid[s.Circuit] != nil
		c.mu.Unlock()
		if c.native != nil {
			known = c.native.get(s.Circuit) != nil
		}
		if !known {
			c.budget.forget(s.Circuit)
		}
	}
}

func (c *Client) resumeOne(ctx context.Context, st paystream.PayerStatus) error {
	if st.Hop != len(st.Path) { // its circuit pays its middle anew
		return c.Payer.Close(ctx, st.Handle, paystream.ReasonClient)
	}
	tc, err := c.circuits.Adopt(ctx, st.Circuit)
	if err != nil {
		return err
	}
	if !slices.Equal(tc.Path(), st.Path) {
		return fmt.Errorf("%w: its number is another circuit's now", tor.ErrCircuitGone)
	}
	c.mu.Lock()
	p := c.paid[st.Circuit]
	c.mu.Unlock()
	if p == nil {
		terms, err := c.Terms(st.Handle)
		if err != nil {
			return err
		}
		exit, err := c.exitFlag(ctx, terms.Relay)
		if err != nil {
			return err
		}
		var self *SelfPaid
		if st.NoPay {
			self = &SelfPaid{} // its pay stream remembers what was brought
		}
		p = c.follow(tc, st.Path, terms, exit, st.Controller, self)
		p.want()
		if p.pooled { // the apps that shared it are gone, and nobody knows who may
			defer p.retire()
		}
		defer c.wg.Go(func() {
			close(p.ready)
			p.serve(ctx)
		})
	}
	p.use(st.Handle, st.Start)
	return c.Resume(st.Handle, p.link)
}

// fingerprintOf reads the identity of an "r" line: base64 without padding.
func fingerprintOf(identity string) (string, error) {
	raw, err := base64.RawStdEncoding.DecodeString(identity)
	if err != nil || len(raw) != 20 {
		return "", fmt.Errorf("%q is no relay's identity", identity)
	}
	return strings.ToUpper(fmt.Sprintf("%x", raw)), nil
}
