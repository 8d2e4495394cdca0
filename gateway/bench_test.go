package gateway_test

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/paystream"
)

const benchBytes = 128 << 20

// BenchmarkTunnel moves bytes from a target to a client, through the gateway and
// through the simplest proxy that there is, in turns, and reports the median ratio.
func BenchmarkTunnel(b *testing.B) {
	w := newWorld(b, nil)
	w.open(b)
	go each(w.target, source)
	plain := splice(b, w.target.Addr().String())
	through := func() (net.Conn, error) { return w.client.Connect(b.Context(), w.hash, "example.com:443") }
	beside := func() (net.Conn, error) { return net.Dial("tcp", plain) }
	var ours time.Duration
	var ratios []float64
	for b.Loop() { // one of each, in the order ABBA, so that a busy machine is busy for both
		theirs := download(b, beside)
		mine := download(b, through) + download(b, through)
		theirs += download(b, beside)
		ours += mine
		ratios = append(ratios, float64(theirs)/float64(mine))
	}
	slices.Sort(ratios)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ratios[len(ratios)/2], "of-plain-splice")
	b.ReportMetric(float64(b.N)*2*benchBytes/ours.Seconds()/1e9, "GB/s")
}

// BenchmarkConnect opens tunnels one after the other: how many a second, beside
// bare connections through the simplest proxy.
func BenchmarkConnect(b *testing.B) {
	w := newWorld(b, func(c *gateway.Config) { c.PayStreamRate = 1e9 })
	w.open(b)
	go each(w.target, func(c net.Conn) { io.CopyN(c, c, 1) })
	plain := splice(b, w.target.Addr().String())
	var ours, theirs time.Duration
	for b.Loop() {
		start := time.Now()
		one(b, func() (net.Conn, error) { return net.Dial("tcp", plain) })
		theirs += time.Since(start)
		start = time.Now()
		one(b, func() (net.Conn, error) { return w.client.Connect(b.Context(), w.hash, "example.com:443") })
		ours += time.Since(start)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(b.N)/ours.Seconds(), "connects/s")
	b.ReportMetric(float64(theirs)/float64(ours), "of-plain-splice")
}

// BenchmarkIdlePayStreams is what a pay stream costs that does nothing.
func BenchmarkIdlePayStreams(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			handles := make([]paystream.Handle, n)
			for i := range handles {
				handles[i] = paystream.Handle(fmt.Sprintf("%016x", i))
			}
			var before, after runtime.MemStats
			for b.Loop() {
				runtime.GC()
				runtime.ReadMemStats(&before)
				s := gateway.NewServer(gateway.Config{})
				start := time.Now()
				for _, h := range handles {
					s.Allow(h, 1<<20)
				}
				took := time.Since(start)
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/paystream")
				b.ReportMetric(float64(took.Nanoseconds())/float64(n), "ns/Allow")
				runtime.KeepAlive(s)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkIdleConnections is what a connection costs that only keeps a circuit:
// both of its ends, since they are in one process.
func BenchmarkIdleConnections(b *testing.B) {
	const n = 1000
	w := newWorld(b, func(c *gateway.Config) { c.PayStreamConns = 2 * n })
	w.open(b)
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		conns := make([]net.Conn, n)
		for i := range conns {
			c, err := w.dial(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			mustWrite(b, c, "GET /tops/v1/paystream HTTP/1.1\r\nAuthorization: Tops "+w.hash.Hex()+"\r\n\r\n")
			mustRead(b, c, "HTTP/1.1 200 OK")
			conns[i] = c
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		for _, c := range conns {
			c.Close()
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(after.HeapAlloc+after.StackInuse-before.HeapAlloc-before.StackInuse)/n, "B/connection")
}

// BenchmarkStop is how long after Stop the last of a pay stream's tunnels, all
// in use, has ended at its payer.
func BenchmarkStop(b *testing.B) {
	const tunnels = 50
	w := newWorld(b, func(c *gateway.Config) { c.PayStreamRate = 1e9 })
	go each(w.target, pulse)
	var worst time.Duration
	for b.Loop() {
		pre := paystream.NewPreimage()
		if _, err := w.client.Open(b.Context(), paystream.Intent{Hash: pre.Hash(), TermsHash: testTerms.Hash()}); err != nil {
			b.Fatal(err)
		}
		var all sync.WaitGroup
		for range tunnels {
			c, err := w.client.Connect(b.Context(), pre.Hash(), "example.com:443")
			if err != nil {
				b.Fatal(err)
			}
			mustRead(b, c, "\x00")
			all.Go(func() {
				defer c.Close()
				io.Copy(io.Discard, c)
			})
		}
		start := time.Now()
		w.server.Stop(pre.Hash().Handle(), paystream.ReasonLate)
		all.Wait()
		worst = max(worst, time.Since(start))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(worst.Microseconds())/1000, "ms-worst")
}

// BenchmarkIntents is how many intents a second are admitted, each over a
// connection of its own.
func BenchmarkIntents(b *testing.B) {
	w := newWorld(b, nil)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			client := gateway.NewClient(w.dial)
			if _, err := client.Open(b.Context(), paystream.Intent{Hash: paystream.NewPreimage().Hash(), TermsHash: testTerms.Hash()}); err != nil {
				b.Error(err)
			}
			client.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "intents/s")
}

// source sends benchBytes.
func source(c net.Conn) {
	buf := make([]byte, 1<<20)
	for range benchBytes / len(buf) {
		if _, err := c.Write(buf); err != nil {
			return
		}
	}
}

// pulse sends a little every millisecond.
func pulse(c net.Conn) {
	buf := make([]byte, 4<<10)
	for {
		if _, err := c.Write(buf); err != nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// splice is a proxy to one address that counts nothing and allows everything.
func splice(b *testing.B, to string) string {
	ln := listen(b)
	go each(ln, func(near net.Conn) {
		far, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer far.Close()
		go func() {
			io.Copy(far, near)
			far.(*net.TCPConn).CloseWrite()
		}()
		io.Copy(near, far)
	})
	return ln.Addr().String()
}

func download(b *testing.B, connect func() (net.Conn, error)) time.Duration {
	start := time.Now()
	c, err := connect()
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 1<<20)
	var got int64
	for {
		n, err := c.Read(buf)
		got += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if got != benchBytes {
		b.Fatalf("%d bytes came, not %d", got, benchBytes)
	}
	return time.Since(start)
}

func one(b *testing.B, connect func() (net.Conn, error)) {
	c, err := connect()
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	mustWrite(b, c, "x")
	mustRead(b, c, "x")
}
