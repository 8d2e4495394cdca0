package client

import (
	"context"
	"slices"
	"time"
)

// run keeps spares until ctx ends.
func (p *pool[M]) run(ctx context.Context) {
	rebuff := minRebuff
	var notBefore time.Time
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		surplus, missing := p.tidy()
		for _, m := range surplus {
			m.retire()
		}
		if missing > 0 && !p.now().Before(notBefore) {
			if p.addSpare(ctx) {
				rebuff = minRebuff
				continue
			}
			notBefore = p.now().Add(rebuff)
			time.AfterFunc(rebuff, p.stir)
			rebuff = min(2*rebuff, maxRebuff)
		}
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-tick.C:
		}
	}
}

// stir has run look at the spares.
func (p *pool[M]) stir() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// tidy forgets what cannot be used any more, and says which spares are too many, or
// how many are missing.
func (p *pool[M]) tidy() (surplus []M, missing int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for key, at := range p.places {
		if !at.good(false) {
			delete(p.places, key)
		}
	}
	for len(p.fresh) > 0 && now.Sub(p.fresh[0]) > freshFor {
		p.fresh = p.fresh[1:]
	}
	usable := p.spares[:0]
	for _, m := range p.spares {
		if m.usable() {
			usable = append(usable, m)
		}
	}
	p.spares = usable
	want := min(p.most, max(1, len(p.fresh)))
	if now.Sub(p.came) > predictFor {
		want = 0
	}
	if n := len(p.spares); n > want {
		surplus = append(surplus, p.spares[want:]...)
		p.spares = p.spares[:want]
	}
	return surplus, want - len(p.spares)
}

// addSpare builds one.
func (p *pool[M]) addSpare(ctx context.Context) bool {
	p.mu.Lock()
	age := p.age
	p.mu.Unlock()
	m, err := p.build(ctx, false)
	if err != nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.age != age {
		defer m.retire()
		return true
	}
	p.spares = append(p.spares, m)
	return true
}

// take takes the oldest spare that will do.
func (p *pool[M]) take(stable bool) (m M, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, m := range p.spares {
		if m.usable() && (!stable || m.stable()) {
			p.spares = slices.Delete(p.spares, i, i+1)
			return m, true
		}
	}
	return m, false
}

// discard ends the spares that are like one that failed.
func (p *pool[M]) discard(alike func(M) bool) {
	p.mu.Lock()
	var bad []M
	p.spares = slices.DeleteFunc(p.spares, func(m M) bool {
		if alike(m) {
			bad = append(bad, m)
			return true
		}
		return false
	})
	p.mu.Unlock()
	for _, m := range bad {
		m.retire()
	}
	p.stir()
}
