package paystream

import (
	"context"
	"fmt"
	"time"
)

// Close ends a pay stream: nothing more is paid, and the relay is told, if it can
// be reached. A payment that is on its way is watched until the node knows what
// became of it.
func (p *Payer) Close(ctx context.Context, h Handle, why Reason) error {
	p.mu.Lock()
	s := p.streams[h]
	if s == nil {
		p.mu.Unlock()
		return fmt.Errorf("close %q: %w", h, ErrNoPayStream)
	}
	if !p.applyLocked(s, payerEnd, why) { // it is over already
		p.mu.Unlock()
		return nil
	}
	link, hash, preimage := s.link, s.hash, s.preimage
	p.planLocked(s)
	p.mu.Unlock()

	err := p.save(ctx, s)
	if link != nil {
		bounded, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		_, _ = link.End(bounded, hash, preimage) // best effort: unpaid, it ends by itself
	}
	if err != nil {
		return fmt.Errorf("close %q: %w", h, err)
	}
	return nil
}

// Busy is how many payments the node is paying right now. Held ones, of which
// only time can tell, do not count.
func (p *Payer) Busy() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.busyLocked()
}

func (p *Payer) busyLocked() (n int) {
	for _, s := range p.streams {
		if s.payment != nil && s.payment.asked {
			n++
		}
	}
	return n
}

// Flush begins no payment any more and waits for those that the node is paying.
// Call it before Run's context ends.
func (p *Payer) Flush(ctx context.Context) error {
	for {
		p.mu.Lock()
		p.draining = true
		busy, changed := p.busyLocked(), p.changed
		p.mu.Unlock()
		if busy == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d payments are still under way: %w", busy, ctx.Err())
		}
	}
}
