package paystream_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal"
)

// countingJournal counts what reaches the disk.
type countingJournal struct {
	*memjournal.Journal
	writes atomic.Int64
}

func (j *countingJournal) CommitPayee(ctx context.Context, b paystream.PayeeBatch) ([]string, error) {
	j.writes.Add(1)
	return j.Journal.CommitPayee(ctx, b)
}

// Whoever opens pay streams and never pays costs memory, up to a limit, and
// never the disk; and those that are over make room first.
func TestAFloodOfIntents(t *testing.T) {
	const room = 50
	synctest.Test(t, func(t *testing.T) {
		r := newRelay(t, relayTerms())
		r.max = room
		books := &countingJournal{Journal: r.journal}
		r.books = books
		r.start()
		defer r.kill()

		paid := r.open()
		paid.payMsat(2, 10_000)
		before := books.writes.Load()
		for range room - 1 {
			r.open()
		}
		var busy *paystream.Busy
		for range 10 * room {
			if _, err := r.Admit(t.Context(), r.newPayer().intent); !errors.As(err, &busy) {
				t.Fatalf("one more than there is room for: %v, want Busy", err)
			}
		}
		paid.sleepUntil(2*time.Minute + 15*time.Second) // those that never paid are cut

		second := r.open()
		second.payMsat(2, 10_000)
		if got := books.writes.Load() - before; got != 1 {
			t.Errorf("%d writes, want that of the one payment", got)
		}
		for range 10 * room {
			flood := r.newPayer()
			v, err := r.Admit(t.Context(), flood.intent)
			if err != nil && !errors.As(err, &busy) {
				t.Fatal(err)
			}
			if err == nil && v.Handle != flood.handle {
				t.Fatalf("view of %s, want %s", v.Handle, flood.handle)
			}
		}
		payStreams, notes, _ := r.Remembered()
		if payStreams != room || notes != room*(r.terms.Rounds+1) {
			t.Errorf("%d pay streams and %d notes in memory, want %d and %d", payStreams, notes, room, room*(r.terms.Rounds+1))
		}
		for _, p := range []*payer{paid, second} {
			if v := p.view(); v.PaidThrough != 10 {
				t.Errorf("one that paid: %+v, want it kept", v)
			}
		}
		if got := books.writes.Load() - before; got != 1 {
			t.Errorf("%d writes after another flood, want 1", got)
		}
		if err := r.Check(); err != nil {
			t.Error(err)
		}
	})
}
