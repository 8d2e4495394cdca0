//go:build linux

package tor_test

import (
	"testing"
	"time"

	"github.com/el-tor/tops/internal/tor"
)

// BenchmarkDo is one command after the other, and many at once.
func BenchmarkDo(b *testing.B) {
	c := dial(b, realNetwork(b).Clients[0])
	get := func(b *testing.B) {
		if _, err := c.Do(b.Context(), "GETINFO version"); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("one", func(b *testing.B) {
		for b.Loop() {
			get(b)
		}
	})
	b.Run("many", func(b *testing.B) {
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				get(b)
			}
		})
	})
}

// BenchmarkDialGateway is a new stream to the gateway of the third hop with one
// exchange on it, in relation to an exchange alone: what opening costs.
func BenchmarkDialGateway(b *testing.B) {
	n := realNetwork(b)
	g := gateway(b, n.Relays[1])
	p := newPaying(b, n.Clients[0])
	c := p.build(b, n.Relays[2], n.Relays[0], n.Relays[1])
	open := func() *tor.StreamConn {
		conn, err := p.attacher.DialGateway(b.Context(), g, tor.Target{Circuit: c.ID})
		if err != nil {
			b.Fatal(err)
		}
		return conn
	}
	steady := open()
	defer steady.Close()
	echo(b, steady, "warm")
	var exchanges time.Duration
	for b.Loop() {
		begin := time.Now()
		echo(b, steady, "x")
		exchanges += time.Since(begin)
		conn := open()
		echo(b, conn, "x")
		conn.Close()
	}
	b.ReportMetric(float64(b.Elapsed()-exchanges)/float64(exchanges), "open/exchange")
	b.ReportMetric(float64((b.Elapsed()-exchanges).Microseconds())/float64(b.N), "µs/open")
}
