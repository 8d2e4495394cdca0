package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/el-tor/tops/paystream"
)

const (
	// quietFor is how long a circuit in use may be silent before it is asked for a
	// sign of life, and askAgain when somebody still waits after one was given.
	quietFor = 2 * time.Second
	askAgain = 5 * time.Second

	// answerWithin is how long a relay has to show that it is there.
	answerWithin = 4 * time.Second
)

// errNoLife is the end of a circuit whose relay does not answer any more.
var errNoLife = errors.New("the relay does not answer")

// A vigil watches over a circuit in use: tor hears of a relay that is gone only when
// a connection breaks, and that can take minutes. Whenever the circuit has fallen
// silent the gateway is asked for its view, which costs nothing and goes nowhere else.
type vigil struct {
	verdict chan error // that the circuit is dead

	bytes        int64     // that had passed
	moved, asked time.Time // when the last one did, and when the relay was asked
	fresh        bool      // bytes have passed since it was asked
	asking       atomic.Bool
}

// look is called often. It does not wait.
func (v *vigil) look(ctx context.Context, p *circuit) {
	now, bytes := time.Now(), p.bytes.Load()
	if v.verdict == nil {
		v.verdict, v.moved = make(chan error, 1), now
	}
	if bytes != v.bytes {
		v.bytes, v.moved, v.fresh = bytes, now, true
	}
	quiet := now.Sub(v.moved) >= quietFor
	if !quiet || v.asking.Load() || p.unused() || !v.fresh && !(p.anyWaiting(now) && now.Sub(v.asked) >= askAgain) {
		return
	}
	v.fresh, v.asked = false, now
	v.asking.Store(true)
	p.c.wg.Go(func() {
		defer v.asking.Store(false)
		if err := p.probe(ctx); err != nil && ctx.Err() == nil {
			v.verdict <- err // it is read, or nobody asks again
		}
	})
}

// attentive runs do, and gives it up when it takes long and the relay shows no life
// meanwhile.
func (p *circuit) attentive(ctx context.Context, do func(context.Context) error) error {
	if !p.pooled {
		return do(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		again := time.NewTicker(quietFor)
		defer again.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-again.C:
			}
			if err := p.probe(ctx); err != nil && ctx.Err() == nil {
				cancel(err)
				return
			}
		}
	})
	err := do(ctx)
	if why := context.Cause(ctx); err != nil && why != nil {
		err = why
	}
	cancel(nil)
	watch.Wait()
	return err
}

// probe asks the relay for a sign of life: anything that it says is one.
func (p *circuit) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	var err error
	if hash, unopened := p.c.Hash(p.current()); unopened == nil {
		_, err = p.link.View(ctx, hash)
	} else {
		_, err = p.link.Terms(ctx)
	}
	if answered(err) {
		return nil
	}
	return fmt.Errorf("%w: %w", errNoLife, err)
}

// answered reports whether an error is an answer of the relay's.
func answered(err error) bool {
	var demand *paystream.Demand
	var changed *paystream.TermsChanged
	var busy *paystream.Busy
	return err == nil || errors.As(err, &demand) || errors.As(err, &changed) || errors.As(err, &busy) ||
		errors.Is(err, paystream.ErrUnknown) || errors.Is(err, paystream.ErrRetired)
}
