package bench_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/tor"
)

// BenchmarkTor measures both ratios on one network, since its start takes longer
// than they do.
func BenchmarkTor(b *testing.B) {
	w := newWorld(b)
	b.Run("setup", w.setUp)
	b.Run("download", w.download)
}

// setUp compares a paid circuit, from the first cell to the relay's 201, with a
// plain one.
func (w *world) setUp(b *testing.B) {
	var plain, paid []time.Duration
	for b.Loop() {
		for range 20 {
			begin := time.Now()
			c, err := w.circuits.Build(b.Context(), w.paid)
			must(b, err)
			plain = append(plain, time.Since(begin))
			must(b, c.Close(b.Context()))

			begin = time.Now()
			c, link, err := w.build(b.Context())
			must(b, err)
			_, err = link.Open(b.Context(), w.intent())
			must(b, err)
			paid = append(paid, time.Since(begin))
			must(b, link.Close())
			must(b, c.Close(b.Context()))
		}
	}
	b.ReportMetric(median(paid)/median(plain), "paid/plain")
	b.ReportMetric(median(plain), "plain-ms")
	b.ReportMetric(median(paid), "paid-ms")
	b.ReportMetric(0, "ns/op")
}

// size is what a download moves: seconds of tor's pace on a small machine.
const size = 20 << 20

// download compares the gateway with an ordinary exit, in turns.
func (w *world) download(b *testing.B) {
	gatewayCircuit, link, err := w.build(b.Context())
	must(b, err)
	in := w.intent()
	_, err = link.Open(b.Context(), in)
	must(b, err)
	plainCircuit, err := w.circuits.Build(b.Context(), w.plain)
	must(b, err)

	var direct, gateway []time.Duration
	for b.Loop() {
		for range 3 {
			conn, err := w.attacher.Dial(b.Context(), webAddr.Addr().String(), webAddr.Port(), tor.Target{Circuit: plainCircuit.ID, Hop: 3})
			must(b, err)
			direct = append(direct, w.fetch(b, conn))
			conn2, err := link.Connect(b.Context(), in.Hash, webAddr.String())
			must(b, err)
			gateway = append(gateway, w.fetch(b, conn2))
		}
	}
	b.ReportMetric(median(direct)/median(gateway), "gateway/direct")
	b.ReportMetric(size/1e6/(median(direct)/1e3), "direct-MB/s")
	b.ReportMetric(size/1e6/(median(gateway)/1e3), "gateway-MB/s")
	b.ReportMetric(0, "ns/op")
	must(b, link.Close())
	must(b, plainCircuit.Close(b.Context()))
	must(b, gatewayCircuit.Close(b.Context()))
}

// fetch downloads over a connection and says how long it took.
func (w *world) fetch(b *testing.B, conn net.Conn) time.Duration {
	b.Helper()
	defer conn.Close()
	begin := time.Now()
	fmt.Fprintf(conn, "GET /%d HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", size, webAddr)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(b, err)
	n, err := io.Copy(io.Discard, resp.Body)
	must(b, err)
	if n != size {
		b.Fatalf("%d bytes came, %d were sent", n, size)
	}
	return time.Since(begin)
}

// median, in milliseconds.
func median(d []time.Duration) float64 {
	d = slices.Sorted(slices.Values(d))
	return float64(d[len(d)/2]) / float64(time.Millisecond)
}
