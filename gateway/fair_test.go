package gateway_test

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/paystream"
)

// Fifty pay streams of 1 to 20 connections each download as much as they can over
// a limited uplink. Jain's index of what each pay stream got is 1 if all got the
// same, and 1/50 if one got everything.
func TestFairnessBetweenPayStreams(t *testing.T) {
	const payStreams, uplink = 50, 8_000_000
	w := newWorld(t, func(c *gateway.Config) { c.Uplink, c.PayStreamRate = uplink, 1e6 })
	go each(w.target, sendForEver)
	var (
		all     sync.WaitGroup
		mu      sync.Mutex
		conns   []net.Conn
		handles []paystream.Handle
		before  []int64
	)
	for i := range payStreams {
		h := paystream.NewPreimage().Hash()
		client := gateway.NewClient(w.dial)
		defer client.Close()
		if _, err := client.Open(t.Context(), paystream.Intent{Hash: h, TermsHash: testTerms.Hash()}); err != nil {
			t.Fatal(err)
		}
		handles = append(handles, h.Handle())
		all.Go(func() {
			for range 1 + i*19/(payStreams-1) {
				c, err := client.Connect(t.Context(), h, "example.com:443")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				conns = append(conns, c)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	var readers sync.WaitGroup
	for _, c := range conns {
		readers.Go(func() { io.Copy(io.Discard, onlyReader{c}) })
	}
	begin := time.Now()
	for _, h := range handles {
		before = append(before, w.server.Used(h))
	}
	<-time.After(4 * time.Second) // the length of the measurement
	var sum, squares float64
	least, most := 1e18, 0.0
	for i, h := range handles {
		got := float64(w.server.Used(h) - before[i])
		sum, squares = sum+got, squares+got*got
		least, most = min(least, got), max(most, got)
	}
	took := time.Since(begin).Seconds()
	for _, c := range conns {
		c.Close()
	}
	readers.Wait()
	jain := sum * sum / (payStreams * squares)
	t.Logf("Jain's index of %d pay streams with %d connections: %.4f; the least got %.0f kB, the most %.0f kB; %.1f of %.1f MB/s",
		payStreams, len(conns), jain, least/1e3, most/1e3, sum/took/1e6, uplink/1e6)
	if jain < 0.95 {
		t.Errorf("Jain's index is %.4f, want at least 0.95", jain)
	}
	if rate := sum / took; rate > 1.1*uplink || rate < 0.5*uplink {
		t.Errorf("%.1f MB/s passed, the uplink is %.1f", rate/1e6, uplink/1e6)
	}
}

// Pay streams that have paid nothing share the part of one, however many they are.
func TestNewcomersShareOnePart(t *testing.T) {
	const riders, uplink = 20, 2_000_000
	w := newWorld(t, func(c *gateway.Config) { c.Uplink = uplink })
	go each(w.target, sendForEver)
	w.payee.free = testTerms.FreeBytes
	var readers sync.WaitGroup
	t.Cleanup(readers.Wait) // after all are closed
	download := func(h paystream.PaymentIDHash) {
		c, err := w.client.Connect(t.Context(), h, "example.com:443")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		readers.Go(func() { io.Copy(io.Discard, onlyReader{c}) })
	}
	var all []paystream.Handle
	for range riders {
		h := paystream.NewPreimage().Hash()
		if _, err := w.client.Open(t.Context(), paystream.Intent{Hash: h, TermsHash: testTerms.Hash()}); err != nil {
			t.Fatal(err)
		}
		all = append(all, h.Handle())
		download(h)
	}
	w.open(t)
	w.server.Allow(w.hash.Handle(), 1<<40)
	download(w.hash)
	used := func() (free, paid int64) {
		for _, h := range all {
			free += w.server.Used(h)
		}
		return free, w.server.Used(w.hash.Handle())
	}
	free, paid := used()
	<-time.After(2 * time.Second) // the length of the measurement
	f, p := used()
	free, paid = f-free, p-paid
	share := float64(paid) / float64(free+paid)
	t.Logf("who pays got %.2f of the uplink beside %d who do not: %d and %d kB", share, riders, paid/1000, free/1000)
	if share < 0.25 || free == 0 { // a busy machine disturbs it; one of 21 equal parts would be 0.05
		t.Errorf("who pays got %.2f of it, want about a half", share)
	}
}

// onlyReader hides what else a connection could do.
type onlyReader struct{ io.Reader }

func sendForEver(c net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		if _, err := c.Write(buf); err != nil {
			return
		}
	}
}

// Bytes go from socket to socket in the kernel: reads and writes of this process
// are those of the two ends, which are here too, and not those of the gateway.
func TestTunnelsSplice(t *testing.T) {
	for _, uplink := range []int64{0, 1e9} {
		t.Run(fmt.Sprint("uplink ", uplink), func(t *testing.T) {
			const size = 64 << 20
			w := newWorld(t, func(c *gateway.Config) { c.Uplink = uplink })
			w.open(t)
			near, far := w.tunnel(t)
			far.SetDeadline(time.Now().Add(time.Minute))
			before := copied(t)
			var sent sync.WaitGroup
			sent.Go(func() {
				defer far.Close()
				buf := make([]byte, 1<<20)
				for range size / len(buf) {
					if _, err := far.Write(buf); err != nil {
						t.Error(err)
						return
					}
				}
			})
			n, err := io.CopyBuffer(io.Discard, onlyReader{near}, make([]byte, 1<<20))
			sent.Wait()
			if n != size || err != nil {
				t.Fatalf("%d bytes came, %v", n, err)
			}
			ratio := float64(copied(t)-before) / (2 * size)
			t.Logf("%d MB: this process copied %.2f times what its two ends did", size>>20, ratio)
			if ratio > 1.1 {
				t.Errorf("the gateway copied %.2f times what passed through it", ratio-1)
			}
			eventually(t, "every byte is counted", func() bool { return w.server.Used(w.hash.Handle()) == size })
		})
	}
}
