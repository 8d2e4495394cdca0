package client

import (
	"context"
	"errors"
	"time"

	"github.com/el-tor/tops/paystream"
)

// leave ends the pay streams and the circuit.
func (p *nativeCircuit) leave(ctx context.Context, why paystream.Reason) {
	p.mu.Lock()
	if p.left {
		p.mu.Unlock()
		return
	}
	p.left = true
	p.mu.Unlock()
	select {
	case <-p.tc.Built():
		for _, h := range p.hops {
			if !p.n.completes(h) {
				p.n.end(ctx, h, why)
			}
		}
		p.n.c.closeCircuit(ctx, p.tc)
	default:
		p.n.c.closeCircuit(ctx, p.tc) // first: only then it is known how far it came
		p.leaveUnbuilt(ctx, why)
	}
	p.n.c.budget.forget(p.tc.ID)
	p.n.mu.Lock()
	delete(p.n.circuits, p.tc.ID)
	for _, h := range p.hops {
		delete(p.n.byPay, h.handle)
	}
	p.n.mu.Unlock()
}

// completes reports whether a pay stream is about to be over by itself: it was
// served to the end, and what it costs is paid or on its way.
func (n *native) completes(h *nativeHop) bool {
	st, err := n.c.PayStream(h.handle)
	if err != nil || st.Reason != "" || n.c.cfg.Now().Before(st.Start.Add(h.terms.Due(h.terms.Rounds)-moment)) {
		return false
	}
	return st.PaidThrough == st.Rounds || st.HeldMsat > 0
}

// moment is by how much the clocks of a circuit's relays and ours may differ.
const moment = 500 * time.Millisecond

func (n *native) end(ctx context.Context, h *nativeHop, why paystream.Reason) {
	if err := n.c.Payer.Close(ctx, h.handle, why); err != nil && !errors.Is(err, paystream.ErrNoPayStream) {
		n.c.failed(err)
	}
}

// stop ends a pay stream at its user's wish, and the circuit with it: the relay
// would.
func (n *native) stop(ctx context.Context, h paystream.Handle) error {
	n.mu.Lock()
	p := n.byPay[h]
	n.mu.Unlock()
	if p == nil {
		return n.c.Payer.Close(ctx, h, paystream.ReasonClient)
	}
	p.leave(ctx, paystream.ReasonClient)
	return nil
}

// shutDown leaves every circuit.
func (n *native) shutDown(ctx context.Context) {
	for _, p := range n.list() {
		p.leave(ctx, paystream.ReasonClient)
	}
}
