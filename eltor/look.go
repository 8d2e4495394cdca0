package eltor

import (
	"context"
	"fmt"
	"time"
)

// lookAround compares what tor has with what is served: no event tells of a
// circuit's end, and one that brought nothing, or nothing that could be read, would
// be served for ever.
func (c *Carrier) lookAround(ctx context.Context) {
	if c.cfg.Fork.Dialect != B {
		return
	}
	there := c.list(ctx)
	if there == nil {
		return
	}
	for _, s := range c.live() {
		if !there.has(s.circuit) {
			c.gone(ctx, s)
		}
	}
	for _, id := range c.strangers(there) {
		err := teardown(ctx, c.cfg.Tor, id)
		switch {
		case err == nil:
			c.count(func(s *Stats) { s.Unknown++ })
		case ctx.Err() == nil:
			c.failed(fmt.Errorf("end a circuit that brought no payment: %w", err))
		}
	}
}

// live lists the circuits that are served, or about to be.
func (c *Carrier) live() (live []*served) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.byHash {
		if !s.ending {
			live = append(live, s)
		}
	}
	return live
}

// directory is how long a circuit of one hop, such as carry directory requests and
// bring nothing, may be here.
const directory = 2 * time.Minute

// strangers lists the circuits that are nobody's, have been here for longer than one
// that pays could be late, and can be ended without harm to another.
func (c *Carrier) strangers(there *listing) (ids []uint32) {
	terms := c.payee.Terms()
	c.mu.Lock()
	defer c.mu.Unlock()
	ours := make(map[uint32]bool, len(c.byHash))
	for _, s := range c.byHash {
		ours[s.circuit] = true
	}
	now, before := c.cfg.Now(), c.unknown
	c.unknown = make(map[uint32]time.Time)
	for id := range there.prev {
		if ours[id] {
			continue
		}
		since, known := before[id]
		if !known {
			since = now
		}
		c.unknown[id] = since
		limit := terms.Interval + terms.Grace
		if !there.extended[id] {
			limit = max(limit, directory)
		}
		if now.Sub(since) > limit && !there.shared(id) {
			ids = append(ids, id)
		}
	}
	return ids
}
