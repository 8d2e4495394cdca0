package app

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/clock"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal/journaltest"
	"github.com/rs/zerolog"
)

// A running tops forgets what is older than the retention of its role, and keeps
// the sum.
func TestTidyBooks(t *testing.T) {
	cfg, err := config.Parse("[lightning]\nrpc = \"x\"\n[relay]\nretention = \"30d\"\n")
	if err != nil {
		t.Fatal(err)
	}
	books, err := ledger.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer books.Close()
	old, young := journaltest.PayeeStream(1), journaltest.PayeeStream(2)
	old.Closed, young.Closed = time.Now().Add(-31*24*time.Hour), time.Now().Add(-29*24*time.Hour)
	var paid []paystream.Booking
	for i, r := range []paystream.PayeeRecord{old, young} {
		k := journaltest.Credit(i, r.Handle, 1000)
		k.PaidAt, k.At = r.Closed, r.Closed
		paid = append(paid, k)
	}
	if _, err := books.CommitPayee(t.Context(), paystream.PayeeBatch{Streams: []paystream.PayeeRecord{old, young}, Bookings: paid}); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	a := &App{cfg: cfg, books: books, clock: clock.New(), log: zerolog.New(&log), tidyFirst: time.Millisecond}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.tidyBooks(ctx) }()
	until(t, func() bool {
		rows, err := books.PayStreams(t.Context(), ledger.Filter{})
		return err == nil && len(rows) == 1 && rows[0].Handle == young.Handle
	})
	cancel()
	<-done
	if sums, err := books.Totals(t.Context()); err != nil || sums.EarnedMsat != 2000 {
		t.Errorf("the books say %+v, %v; want 2000 msat earned", sums, err)
	}
}
