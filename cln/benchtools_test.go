package cln_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/el-tor/tops/paystream"
)

// samples are durations of one thing.
type samples []time.Duration

func (s *samples) time(f func()) {
	start := time.Now()
	f()
	*s = append(*s, time.Since(start))
}

func (s samples) p50() time.Duration { return s.at(0.5) }

func (s samples) at(quantile float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[int(quantile*float64(len(s)-1))]
}

// counter is a sink that counts, and closes done when it is full.
type counter struct {
	got, full, largest int
	done               chan struct{}
}

func (c *counter) Deliver(_ context.Context, batch []paystream.Settlement) error {
	c.got += len(batch)
	c.largest = max(c.largest, len(batch))
	if c.got == c.full {
		close(c.done)
	}
	return nil
}

func (c *counter) Rewind(context.Context, paystream.Position) error { return nil }

// arrival is a sink that tells when something came.
type arrival chan time.Time

func (a arrival) Deliver(ctx context.Context, batch []paystream.Settlement) error {
	now := time.Now()
	for range batch {
		select {
		case a <- now:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (a arrival) Rewind(context.Context, paystream.Position) error { return nil }

func contextOf(b *testing.B) (context.Context, context.CancelFunc) {
	return context.WithCancel(b.Context())
}
