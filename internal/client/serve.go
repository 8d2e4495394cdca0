package client

import (
	"context"
	"time"

	"github.com/el-tor/tops/paystream"
)

// lookEvery is how often the pace of a circuit is looked at.
const lookEvery = 100 * time.Millisecond

// serve keeps the circuit until it ends, its pay stream ends, or nothing more is
// paid on it.
func (p *circuit) serve(ctx context.Context) {
	keep, stop := context.WithCancel(ctx)
	defer stop()
	p.keep(keep)
	p.paySides(keep)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	next := p.continued(keep)
	var vigil vigil
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.tor().Done():
			if err := p.rebuild(ctx); err != nil {
				if !requested(err) {
					p.c.failed(err)
				}
				p.leave(context.WithoutCancel(ctx), paystream.ReasonCircuit)
				return
			}
		case <-look.C:
			p.look()
			if !p.pooled {
				continue
			}
			vigil.look(keep, p)
			if err := p.trickles(); err != nil {
				p.leaveSlow(context.WithoutCancel(ctx), err)
				return
			}
			if p.idle() {
				p.leave(context.WithoutCancel(ctx), paystream.ReasonClient)
				return
			}
		case err := <-vigil.verdict:
			p.c.lost(p, err)
			p.leave(context.WithoutCancel(ctx), paystream.ReasonQuality)
			return
		case <-p.empty:
			if p.unused() {
				p.leave(context.WithoutCancel(ctx), paystream.ReasonClient)
				return
			}
		case h := <-next:
			p.goOn(h)
			p.keep(keep)
			next = p.continued(keep)
		case <-p.heard:
			if len(next) == 0 && p.over() {
				p.leave(context.WithoutCancel(ctx), "")
				return
			}
		}
	}
}

// keep holds one idle connection to the gateway: tor closes a circuit that has
// had no stream for ten minutes.
func (p *circuit) keep(ctx context.Context) {
	hash, err := p.c.Hash(p.current())
	if err != nil {
		return
	}
	p.c.wg.Go(func() { _ = p.link.Keep(ctx, hash) })
}

func (p *circuit) current() paystream.Handle {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pay.handle
}

// over reports whether the circuit is of no use any more: its pay stream is over,
// or was not worth its price. One that is not paid for another reason is served
// until the relay cuts it, but gets nothing new.
func (p *circuit) over() bool {
	st, err := p.c.PayStream(p.current())
	if err != nil {
		return true
	}
	switch st.Status {
	case paystream.StatusClosed, paystream.StatusCompleted, paystream.StatusRefused:
		return true
	}
	if st.Reason != "" {
		p.mu.Lock()
		p.retired, p.drains = true, p.drains || p.pooled
		p.drainLocked()
		p.mu.Unlock()
	}
	return st.Reason == paystream.ReasonQuality
}

// hear is told of each event of the circuit's pay streams. It returns at once.
func (p *circuit) hear(e paystream.Event) {
	if e.Reason != "" || e.Status == paystream.StatusClosed || e.Status == paystream.StatusCompleted {
		select {
		case p.heard <- struct{}{}:
		default:
		}
	}
}
