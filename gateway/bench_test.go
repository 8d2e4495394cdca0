package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/paystream"
)

const benchBytes = 256 << 20

// BenchmarkTunnel moves bytes from a target to a client, through the gateway and
// through the simplest proxy that there is, in turns, and reports the ratio.
func BenchmarkTunnel(b *testing.B) {
	w := newWorld(b, nil)
	w.open(b)
	go source(w.target)
	plain := splice(b, w.target.Addr().String())
	var ours, theirs time.Duration
	for b.Loop() {
		theirs += download(b, func() (net.Conn, error) { return net.Dial("tcp", plain) })
		ours += download(b, func() (net.Conn, error) { return w.client.Connect(b.Context(), w.hash, "example.com:443") })
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(theirs)/float64(ours), "of-plain-splice")
	b.ReportMetric(float64(b.N)*benchBytes/ours.Seconds()/1e9, "GB/s")
}

// BenchmarkConnect opens tunnels one after the other: how many a second, beside
// bare connections through the simplest proxy.
func BenchmarkConnect(b *testing.B) {
	w := newWorld(b, func(c *gateway.Config) { c.PayStreamRate = 1e9 })
	w.open(b)
	go echoOne(w.target)
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

// source sends benchBytes to everybody.
func source(ln *net.TCPListener) {
	buf := make([]byte, 1<<20)
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			for range benchBytes / len(buf) {
				if _, err := c.Write(buf); err != nil {
					return
				}
			}
		}()
	}
}

// echoOne answers one byte with one byte.
func echoOne(ln *net.TCPListener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			io.CopyN(c, c, 1)
		}()
	}
}

// splice is a proxy to one address that counts nothing and allows everything.
func splice(b *testing.B, to string) string {
	ln := listen(b)
	go func() {
		for {
			near, err := ln.AcceptTCP()
			if err != nil {
				return
			}
			go func() {
				defer near.Close()
				far, err := new(net.Dialer).DialContext(context.Background(), "tcp", to)
				if err != nil {
					return
				}
				defer far.Close()
				go func() {
					io.Copy(far, near)
					far.(*net.TCPConn).CloseWrite()
				}()
				io.Copy(near, far)
			}()
		}
	}()
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
