package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
)

// leave ends the pay streams, for a reason unless they have one already, and the
// circuit with every connection on it.
func (p *circuit) leave(ctx context.Context, why paystream.Reason) {
	p.mu.Lock()
	if p.left {
		p.mu.Unlock()
		return
	}
	p.left = true
	close(p.rebuilt)
	tc, pay, before, dead := p.tc, p.pay.handle, p.before.handle, p.dead
	sides := slices.Collect(maps.Values(p.sides))
	tunnels := p.tunnels
	p.tunnels = make(map[*tunnel]struct{})
	p.mu.Unlock()

	p.c.mu.Lock()
	delete(p.c.paid, tc.ID)
	p.c.mu.Unlock()
	if pay != "" {
		if st, err := p.c.PayStream(pay); err == nil && st.Reason != "" {
			why = st.Reason
		}
	}
	if why == paystream.ReasonQuality && p.pooled {
		p.c.avoid(p.terms.Relay) // before connections look for another circuit
	}
	for t := range tunnels {
		t.Close()
	}
	if dead { // nobody there would hear that it ends
		p.c.closeCircuit(ctx, tc)
	}
	told, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for _, h := range append(sides, pay) {
		if h == "" {
			continue
		}
		if err := p.c.Close(told, h, why); err != nil && !errors.Is(err, paystream.ErrNoPayStream) {
			p.c.failed(err)
		}
	}
	p.c.budget.forget(tc.ID)
	_ = p.link.Close()
	p.c.closeCircuit(ctx, tc)
	p.c.mu.Lock()
	for _, h := range append(sides, pay, before) {
		delete(p.c.byPay, h)
	}
	p.c.mu.Unlock()
}

func (c *Client) closeCircuit(ctx context.Context, tc *tor.Circuit) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := tc.Close(ctx); err != nil && !errors.Is(err, tor.ErrNotConnected) {
		c.failed(fmt.Errorf("close circuit %s: %w", tc.ID, err))
	}
}
