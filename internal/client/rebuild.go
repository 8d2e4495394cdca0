package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/el-tor/tops/internal/tor"
)

// requested reports whether a circuit ended because a controller, or we, wanted it
// to.
func requested(err error) bool {
	var ended *tor.CircuitError
	return errors.As(err, &ended) && ended.Reason == "REQUESTED"
}

// rebuildFor bounds how long another circuit may take, rebuildWait how long
// connections wait for it, and rebuildPause comes between attempts.
const (
	rebuildFor   = 20 * time.Second
	rebuildWait  = 1500 * time.Millisecond
	rebuildPause = 500 * time.Millisecond
)

// rebuild makes another circuit along the same path for the pay stream, whose
// money would be lost otherwise: tor retires a circuit on which a stream failed as
// soon as no other is on it, which a relay that restarts is enough for. A circuit
// that somebody asked to be closed stays closed.
func (p *circuit) rebuild(ctx context.Context) error {
	old := p.tor()
	if requested(old.Err()) || p.over() {
		return old.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, rebuildFor)
	defer cancel()
	tc, err := p.c.circuits.Build(ctx, p.path)
	for err != nil { // a tor that was restarted is not ready at once
		select {
		case <-time.After(rebuildPause):
		case <-p.empty:
			if p.unused() { // those who used it have another one
				return old.Err()
			}
		case <-ctx.Done():
			return fmt.Errorf("%w; and another could not be built: %w", old.Err(), err)
		}
		if p.over() {
			return old.Err()
		}
		tc, err = p.c.circuits.Build(ctx, p.path)
	}
	p.mu.Lock()
	if p.left { // meanwhile
		p.mu.Unlock()
		p.c.closeCircuit(context.WithoutCancel(ctx), tc)
		return old.Err()
	}
	p.tc, p.lost = tc, time.Time{}
	close(p.rebuilt)
	p.rebuilt = make(chan struct{})
	pay, sides := p.pay.handle, slices.Collect(maps.Values(p.sides))
	p.c.mu.Lock()
	delete(p.c.paid, old.ID)
	p.c.paid[tc.ID] = p
	p.c.mu.Unlock()
	p.mu.Unlock()
	p.c.budget.move(old.ID, tc.ID)
	for _, side := range sides {
		_ = p.c.Move(side, tc.ID) // it may be over
	}
	return p.c.Move(pay, tc.ID)
}
