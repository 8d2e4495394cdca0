package cln

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A node takes one onion message per 250 ms from a peer and drops the others without a word. A little more than that
// apart, ours get through whatever the network does to their spacing.
const requestEvery = 260 * time.Millisecond

// pacer spreads out the invoice requests to each payee. A nil pacer does not.
type pacer struct {
	now func() time.Time

	mu    sync.Mutex // protects turns
	turns map[string]*turn
}

type turn struct {
	limiter *rate.Limiter
	last    time.Time
}

func newPacer(now func() time.Time) *pacer { return &pacer{now: now, turns: map[string]*turn{}} }

// wait waits for a turn. If that would come only after ctx's deadline it fails at once.
func (p *pacer) wait(ctx context.Context, payee string) error {
	if p == nil {
		return nil
	}
	return p.limiter(payee).Wait(ctx)
}

func (p *pacer) limiter(payee string) *rate.Limiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if len(p.turns) >= maxPayees {
		for k, t := range p.turns {
			if now.Sub(t.last) > time.Minute {
				delete(p.turns, k)
			}
		}
	}
	t := p.turns[payee]
	if t == nil {
		t = &turn{limiter: rate.NewLimiter(rate.Every(requestEvery), 1)}
		p.turns[payee] = t
	}
	t.last = now
	return t.limiter
}

// maxPayees is when those that were not asked for a minute are forgotten.
const maxPayees = 1024
