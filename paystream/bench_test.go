package paystream_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/el-tor/tops/ledger"
)

// forPayeeSizes measures with as many pay streams at once: what is measured
// should not grow with them.
func forPayeeSizes(b *testing.B, f func(b *testing.B, payStreams int)) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("paystreams=%d", n), func(b *testing.B) { f(b, n) })
	}
}

// BenchmarkPayeeMemory measures the heap that a live pay stream takes, credited,
// with its notes and its place in the agenda.
func BenchmarkPayeeMemory(b *testing.B) {
	forPayeeSizes(b, func(b *testing.B, n int) {
		var bytes uint64
		for b.Loop() {
			b.StopTimer()
			w := newBenchPayee(b, n, nullJournal{})
			before := heapInUse()
			b.StartTimer()
			w.openAll(b)
			w.creditAll(b)
			b.StopTimer()
			bytes = heapInUse() - before
			runtime.KeepAlive(w)
			b.StartTimer()
		}
		b.ReportMetric(float64(bytes)/float64(n), "B/paystream")
	})
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC() // the first one may still sweep
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkPayeeCredit credits 100,000 payments in the batches that a busy
// receiver delivers, with nothing but the engine at work.
func BenchmarkPayeeCredit(b *testing.B) {
	forPayeeSizes(b, func(b *testing.B, n int) {
		w := newBenchPayee(b, n, nullJournal{})
		w.openAll(b)
		w.creditAll(b)
		b.ReportMetric(w.creditsPerSecond(b, 100_000, 512), "credits/s")
	})
}

// BenchmarkPayeeVerify takes 50,000 payments one by one, each from its settlement
// to the allowance that it gives.
func BenchmarkPayeeVerify(b *testing.B) {
	forPayeeSizes(b, func(b *testing.B, n int) {
		w := newBenchPayee(b, n, nullJournal{})
		w.openAll(b)
		w.creditAll(b)
		b.ReportMetric(1e6/w.creditsPerSecond(b, 50_000, 1), "µs/payment")
	})
}

// BenchmarkPayeeCreditOnDisk has the books on disk, in batches of a quarter of
// what a busy receiver delivers. What an fsync takes stands beside.
func BenchmarkPayeeCreditOnDisk(b *testing.B) {
	forPayeeSizes(b, func(b *testing.B, n int) {
		w := newBenchPayee(b, n, openBooks(b))
		w.openAll(b)
		w.creditAll(b) // its record is written with a pay stream's first credit
		b.ReportMetric(w.creditsPerSecond(b, 10_000, 128), "credits/s")
		b.ReportMetric(milliseconds(p99(fsyncTimes(b, 300))), "fsync-p99-ms")
	})
}

// BenchmarkPayeeCut lets three seconds go by on the real clock, in which the
// deadlines of a twentieth of all pay streams pass, and measures how far behind
// its deadline each is cut. The books are on disk, and the node takes a
// millisecond to say up to when everything is delivered.
func BenchmarkPayeeCut(b *testing.B) {
	const window = 3 * time.Second
	forPayeeSizes(b, func(b *testing.B, n int) {
		for b.Loop() {
			b.StopTimer()
			w := newBenchPayee(b, n, openBooks(b))
			w.openAll(b)
			w.creditAll(b) // through round 2
			b.StartTimer()
			late := w.cuts(b, window)
			if want := n * int(window) / int(w.terms.Interval); len(late) != want {
				b.Fatalf("%d were cut in %s, want %d", len(late), window, want)
			}
			b.ReportMetric(milliseconds(late[len(late)/2]), "cut-p50-ms")
			b.ReportMetric(milliseconds(p99(late)), "cut-p99-ms")
			b.ReportMetric(float64(len(late)), "cuts")
		}
	})
}

func openBooks(b *testing.B) *ledger.Ledger {
	books, err := ledger.Open(b.Context(), filepath.Join(b.TempDir(), "books.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { books.Close() })
	return books
}

// fsyncTimes asks the disk of the books how long it takes to make one page
// durable, sorted.
func fsyncTimes(b *testing.B, n int) []time.Duration {
	f, err := os.Create(filepath.Join(b.TempDir(), "fsync"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page, took := make([]byte, 4096), make([]time.Duration, n)
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
