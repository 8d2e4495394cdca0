package cln

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff waits between attempts: 20 ms at first, twice as long each time, a second at most, and never two callers in
// step. The zero value is ready.
type backoff struct{ next time.Duration }

const (
	backoffFirst = 20 * time.Millisecond
	backoffMost  = time.Second
)

// wait waits, and reports false when ctx ended first.
func (b *backoff) wait(ctx context.Context) bool { return b.waitFor(ctx, nil) }

// waitFor waits as wait does, or less if hint comes.
func (b *backoff) waitFor(ctx context.Context, hint <-chan struct{}) bool {
	b.next = min(max(2*b.next, backoffFirst), backoffMost)
	t := time.NewTimer(b.next/2 + rand.N(b.next/2))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-hint:
		return true
	case <-ctx.Done():
		return false
	}
}

// first reports whether this is the first failure in a row.
func (b *backoff) first() bool { return b.next == 0 }

func (b *backoff) reset() { b.next = 0 }
