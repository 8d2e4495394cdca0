package ledger_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal/journaltest"
)

// BenchmarkCommit books credits one a commit, as a payee does whose payments
// come one by one, and beside it asks the disk what its own fsync costs: a
// commit cannot be faster than that, but many may share one.
func BenchmarkCommit(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) { benchmarkCommit(b, callers) })
	}
}

func benchmarkCommit(b *testing.B, callers int) {
	l := open(b, newPath(b))
	streams := make([]paystream.PayeeRecord, callers)
	for c := range streams {
		streams[c] = journaltest.PayeeStream(c)
	}
	if _, err := l.CommitPayee(b.Context(), paystream.PayeeBatch{Streams: streams}); err != nil {
		b.Fatal(err)
	}
	var next atomic.Int64
	took := make([]time.Duration, b.N)
	fsync := fsyncTimes(b, 200)
	b.ResetTimer()
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for {
				n := int(next.Add(1))
				if n > b.N {
					return
				}
				start := time.Now()
				_, err := l.CommitPayee(b.Context(), paystream.PayeeBatch{Position: paystream.Position{PayIndex: uint64(n)},
					Bookings: []paystream.Booking{journaltest.Credit(n, streams[c].Handle, 1000)}})
				if err != nil {
					b.Error(err)
					return
				}
				took[n-1] = time.Since(start)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "credits/s")
	b.ReportMetric(milliseconds(p99(took)), "commit-p99-ms")
	b.ReportMetric(milliseconds(fsync[len(fsync)/2]), "fsync-p50-ms")
	b.ReportMetric(milliseconds(p99(fsync)), "fsync-p99-ms")
}

// BenchmarkDeliver books a backlog: 100 credits of as many pay streams in one
// batch, their records changed with them.
func BenchmarkDeliver(b *testing.B) {
	const size = 100
	l := open(b, newPath(b))
	streams := make([]paystream.PayeeRecord, size)
	for i := range streams {
		streams[i] = journaltest.PayeeStream(i)
	}
	n := 0
	for b.Loop() {
		batch := paystream.PayeeBatch{Streams: streams}
		for i := range size {
			n++
			batch.Bookings = append(batch.Bookings, journaltest.Credit(n, streams[i].Handle, 1000))
		}
		batch.PayIndex = uint64(n)
		if _, err := l.CommitPayee(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "credits/s")
}

// fsyncTimes asks the disk of the test how long it takes to make one page
// durable, sorted.
func fsyncTimes(b *testing.B, n int) []time.Duration {
	f, err := os.Create(filepath.Join(b.TempDir(), "fsync"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	took := make([]time.Duration, n)
	for i := range took {
		start := time.Now()
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return took
}

func p99(sorted []time.Duration) time.Duration { return sorted[len(sorted)*99/100] }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// BenchmarkForget forgets 2,000 pay streams of ten payments each, while a
// caller commits: worst-commit-ms is how long that one had to wait at most.
func BenchmarkForget(b *testing.B) {
	const streams, payments = 2000, 10
	l := open(b, newPath(b))
	n := 0
	for b.Loop() {
		b.StopTimer()
		for range streams / 100 {
			var batch paystream.PayeeBatch
			for range 100 {
				n++
				r := journaltest.PayeeStream(n)
				r.Closed = epoch
				batch.Streams = append(batch.Streams, r)
				for k := range payments {
					batch.Bookings = append(batch.Bookings, come(n*payments+k, paystream.BookedCredit, r.Handle, 1000, epoch))
				}
			}
			if _, err := l.CommitPayee(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()

		var worst time.Duration
		forgotten, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			for {
				start := time.Now()
				if err := l.SavePayStream(b.Context(), journaltest.PayerStream(1)); err != nil {
					b.Error(err)
				}
				worst = max(worst, time.Since(start))
				select {
				case <-forgotten:
					return
				default:
				}
			}
		}()
		f, err := l.Forget(b.Context(), epoch.Add(1))
		close(forgotten)
		<-ended
		if err != nil || f.PayStreams != streams {
			b.Fatalf("forgotten: %+v, %v", f, err)
		}
		b.ReportMetric(milliseconds(worst), "worst-commit-ms")
	}
	b.ReportMetric(float64(b.N*streams*payments)/b.Elapsed().Seconds(), "payments/s")
}
