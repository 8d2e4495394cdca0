package demo

import (
	"context"
	"fmt"
	"time"
)

// unpaid plays one that stops paying in round 4, and one that never pays.
func (s *stage) unpaid(ctx context.Context) error {
	if err := s.stopsPaying(ctx); err != nil {
		return err
	}
	return s.neverPays(ctx)
}

func (s *stage) stopsPaying(ctx context.Context) error {
	x, err := newStranger(ctx, s.w)
	if err != nil {
		return err
	}
	defer x.close(ctx)
	if err := x.open(ctx); err != nil {
		return err
	}
	d, err := x.download(ctx, 200_000)
	if err != nil {
		return err
	}
	for _, round := range []int{2, 3} {
		x.sleepUntil(ctx, x.start.Add(x.terms.Due(round)-interval/3))
		if err := x.pay(ctx, round); err != nil {
			return fmt.Errorf("pay round %d: %w", round, err)
		}
	}
	cut, err := s.watchCut(ctx, x, d, 4)
	if err != nil {
		return err
	}
	s.report.Stopped = cut
	s.sayf("  paid rounds 2 and 3 and then no more: cut %d ms after round 4 was due (the grace is %s), with %d kB served after that",
		cut.AfterDue.Milliseconds(), grace, cut.BytesAfterDue/1000)
	s.sayf("  the next CONNECT: %s", cut.ThenConnect)
	return nil
}

func (s *stage) neverPays(ctx context.Context) error {
	x, err := newStranger(ctx, s.w)
	if err != nil {
		return err
	}
	defer x.close(ctx)
	if err := x.open(ctx); err != nil {
		return err
	}
	d, err := x.download(ctx, 2_000_000)
	if err != nil {
		return err
	}
	cut, err := s.watchCut(ctx, x, d, 2)
	if err != nil {
		return err
	}
	s.report.NeverPaid = cut
	s.sayf("  one that never pays got %d bytes, of %d free ones, and was cut after %d ms", cut.Bytes, x.terms.FreeBytes, (x.terms.Due(2) + cut.AfterDue).Milliseconds())
	s.check(cut.Bytes <= x.terms.FreeBytes, "who never paid got %d bytes, more than the %d free ones", cut.Bytes, x.terms.FreeBytes)
	return nil
}

// watchCut waits until the relay cuts a download whose round was not paid.
func (s *stage) watchCut(ctx context.Context, x *stranger, d *download, round int) (*Cut, error) {
	due := x.start.Add(x.terms.Due(round))
	x.sleepUntil(ctx, due)
	atDue := d.bytes.Load()
	s.check(!d.ended(), "the download ended before round %d was due: %v", round, d.why())
	select {
	case <-d.done:
	case <-time.After(grace + 5*time.Second):
		return nil, fmt.Errorf("round %d was never paid, and %s after it was due the relay still serves", round, grace+5*time.Second)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c := &Cut{AfterDue: time.Since(due), Bytes: d.bytes.Load(), BytesAfterDue: d.bytes.Load() - atDue}
	s.check(c.AfterDue >= grace, "cut %s after the due time, before the grace of %s was over", c.AfterDue, grace)
	s.check(c.AfterDue < grace+time.Second, "cut %s after the due time, more than a second after the grace", c.AfterDue)
	c.ThenConnect = x.connectAgain(ctx)
	s.check(c.ThenConnect == "402 due_msat=0 reason=LATE", "the next CONNECT was answered %q", c.ThenConnect)
	return c, nil
}
