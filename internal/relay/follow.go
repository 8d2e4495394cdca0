package relay

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// followSelf keeps the exit rules right while addresses come and go: those of
// interfaces are rejected one by one, since tor must not do it for us. It looks
// also whether the operator has made the relay an exit, or no exit, meanwhile.
func (r *Relay) followSelf(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	moved := false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		me := r.me.Load()
		now, err := Identify(ctx, r.tor, r.cfg.Relay, r.settings.State())
		if err != nil {
			continue // a lost tor is told of elsewhere
		}
		if now.Addr != me.Addr {
			if !moved {
				r.failed(fmt.Errorf("the relay's address is %s now and was %s: start tops again", now.Addr, me.Addr))
			}
			moved = true
			continue
		}
		moved = false
		if slices.Equal(now.Own, me.Own) && now.WasExit == me.WasExit {
			continue
		}
		r.me.Store(&now)
		if err := r.publish(ctx); err != nil {
			r.failed(fmt.Errorf("set tor's options: %w", err))
			r.me.Store(me) // and again in a minute
		}
	}
}
