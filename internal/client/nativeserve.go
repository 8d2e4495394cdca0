package client

import (
	"context"
	"fmt"

	"github.com/el-tor/tops/paystream"
)

// live is the life of a circuit from the moment on that tor has begun it.
func (p *nativeCircuit) live(ctx context.Context, opened <-chan error) {
	err := p.begin(ctx, opened)
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
	close(p.open)
	if err != nil {
		if !requested(err) && ctx.Err() == nil {
			p.n.c.failed(fmt.Errorf("circuit %s: %w", p.tc.ID, err))
		}
		p.leave(context.WithoutCancel(ctx), paystream.ReasonCircuit)
		return
	}
	p.serve(ctx)
}

// begin waits until the circuit is built, and its pay streams are open.
func (p *nativeCircuit) begin(ctx context.Context, opened <-chan error) error {
	if err := built(ctx, p.tc); err != nil {
		return err
	}
	for _, h := range p.hops {
		h.link.Built(p.start)
	}
	for range p.hops {
		select {
		case err := <-opened:
			if err != nil {
				return err
			}
		case <-p.tc.Done():
			return p.tc.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// serve keeps the circuit until it ends, one of its pay streams ends, or one is not
// paid any more.
func (p *nativeCircuit) serve(ctx context.Context) {
	for {
		if why, over := p.over(); over {
			p.leave(context.WithoutCancel(ctx), why)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-p.tc.Done():
			for _, h := range p.hops {
				h.link.Lost(p.tc.Err())
			}
			if !requested(p.tc.Err()) {
				p.n.c.failed(p.tc.Err())
				p.n.shun(p)
			}
			p.leave(context.WithoutCancel(ctx), paystream.ReasonCircuit)
			return
		case <-p.changed:
		}
	}
}

// over reports whether the circuit is of no use any more, and why: whoever of its
// relays is not paid, or has been to the end, will end it.
func (p *nativeCircuit) over() (why paystream.Reason, over bool) {
	for _, h := range p.hops {
		st, err := p.n.c.PayStream(h.handle)
		switch {
		case err != nil:
			return paystream.ReasonCircuit, true
		case st.Status == paystream.StatusCompleted:
			why, over = paystream.ReasonCompleted, true
		case st.Status == paystream.StatusClosed, st.Status == paystream.StatusRefused, st.Reason != "":
			return st.Reason, true
		}
	}
	return why, over
}
