package client

import (
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// A sender sends as a server and the way to it make it arrive.
type sender func(conn net.Conn, seconds int)

// steady sends so many bytes at once, so often.
func steady(bytes int, every time.Duration) sender {
	return func(conn net.Conn, seconds int) {
		for range int(time.Duration(seconds) * time.Second / every) {
			if _, err := conn.Write(make([]byte, bytes)); err != nil {
				return
			}
			time.Sleep(every)
		}
	}
}

// What trickles is left in seconds, and what is slow by its nature is not.
func TestTrickles(t *testing.T) {
	cells := func(n int) sender { return steady(n*498, time.Second/2) }
	for _, tc := range []struct {
		name  string
		sends []sender // one after the other, so many seconds each
		lasts []int
		usual int64 // goodput of this client's other circuits
		left  int   // after so many seconds; 0: not at all
	}{
		{"full speed", []sender{steady(20_000, 100*time.Millisecond)}, []int{60}, 0, 0},
		{"a cell now and then", []sender{cells(1)}, []int{30}, 0, 5},
		{"drops from the start", []sender{steady(10, 200*time.Millisecond)}, []int{30}, 0, 5},
		{"fast at first, then a trickle", []sender{steady(20_000, 100*time.Millisecond), cells(1)}, []int{20, 30}, 0, 30},
		{"above the policy, far below the usual", []sender{cells(20)}, []int{30}, 1_000_000, 5},
		{"above the policy, near the usual", []sender{cells(20)}, []int{30}, 50_000, 0},
		{"an answer that is being written", []sender{steady(5000, time.Second), steady(200, 100*time.Millisecond)}, []int{1, 60}, 0, 0},
		{"a clock that ticks", []sender{steady(1500, time.Second), steady(60, 900*time.Millisecond)}, []int{1, 60}, 0, 0},
		{"a page and silence", []sender{steady(50_000, time.Second), steady(0, time.Second)}, []int{1, 60}, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := trickling(tc.usual)
				here, there := net.Pipe()
				tun := &tunnel{Conn: here, of: p, target: "target:443"}
				p.tunnels[tun] = struct{}{}
				p.users = 1
				go func() {
					defer there.Close()
					for i, send := range tc.sends {
						send(there, tc.lasts[i])
					}
				}()
				go io.Copy(io.Discard, tun)
				begin, left := time.Now(), 0
				all := 0
				for _, s := range tc.lasts {
					all += s
				}
				for time.Since(begin) < time.Duration(all)*time.Second {
					time.Sleep(lookEvery)
					p.look()
					if err := p.trickles(); err != nil {
						left = int(time.Since(begin).Round(time.Second) / time.Second)
						break
					}
				}
				here.Close()
				time.Sleep(time.Minute) // until the server has noticed
				if left != tc.left && (tc.left == 0 || left == 0 || left < tc.left-1 || left > tc.left+2) {
					t.Errorf("left after %d s, want %d (0: not at all)", left, tc.left)
				}
			})
		})
	}
}

// trickling is a circuit, with the default policy, of a client that is used to a pace.
func trickling(usual int64) *circuit {
	cfg, err := config.Parse("data_dir = \"/nowhere\"\n[lightning]\nrpc = \"x\"\n[client]\n")
	if err != nil {
		panic(err)
	}
	c := &Client{Payer: new(paystream.Payer), policy: paymentPolicy(cfg.Client), cfg: Config{Now: time.Now, Client: cfg.Client}}
	if usual > 0 {
		for i := range uint64(minRecent) {
			c.history.note(100+i, policies.Pace{Goodput: usual})
		}
	}
	p := &circuit{c: c, serial: 1, tunnels: make(map[*tunnel]struct{})}
	p.terms.Interval = time.Minute
	return p
}

func TestSlowTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slowTargets
		if s.elsewhere("x", "A") {
			t.Error("nothing is known yet")
		}
		s.note("x", "A", time.Now())
		if s.elsewhere("x", "A") || !s.elsewhere("x", "B") || s.elsewhere("y", "B") {
			t.Error("slow through A: that is no excuse for A, one for B, and says nothing of another target")
		}
		s.note("x", "B", time.Now())
		if !s.elsewhere("x", "B") || s.elsewhere("x", "A") {
			t.Error("the relay of the first time does not stay")
		}
		time.Sleep(slowKnown)
		if s.elsewhere("x", "B") {
			t.Error("it is held for slow for ever")
		}
		for i := range 10_000 {
			s.note(fmt.Sprint(i), "A", time.Now())
		}
		if len(s.seen) > maxSlow {
			t.Errorf("%d targets are remembered", len(s.seen))
		}
	})
}

// What is waited for is what comes between full cells.
func TestFlow(t *testing.T) {
	at := func(ms int) int64 {
		return time.Unix(1_000_000, 0).Add(time.Duration(ms) * time.Millisecond).UnixNano()
	}
	type read struct{ ms, bytes int } // 0 bytes: the app asks
	for _, tc := range []struct {
		name  string
		reads []read
		want  time.Duration
	}{
		{"one page", []read{{0, 3000}, {5, 3000}}, 5 * time.Millisecond},
		{"a page, and messages", []read{{0, 3000}, {500, 100}, {1000, 100}, {1500, 100}}, 0},
		{"cells", []read{{0, 498}, {500, 498}, {1000, 498}, {1500, 996}}, 1500 * time.Millisecond},
		{"cells and messages between", []read{{0, 498}, {500, 100}, {1000, 498}}, time.Second},
		{"a message in pieces", []read{{0, 3000}, {500, 300}, {505, 300}}, 505 * time.Millisecond},
		{"drops alone", []read{{0, 10}, {500, 10}, {1000, 10}}, time.Second},
		{"question and answer", []read{{0, 3000}, {500, 0}, {1000, 3000}}, 0},
		{"long pauses", []read{{0, 3000}, {2500, 3000}}, 0},
	} {
		p := trickling(0)
		tun := &tunnel{of: p}
		for _, r := range tc.reads {
			if r.bytes == 0 {
				tun.lastUp.Store(at(r.ms))
				continue
			}
			tun.flow(tun.lastDown.Swap(at(r.ms)), at(r.ms), r.bytes)
		}
		if p.waited != tc.want {
			t.Errorf("%s: waited for %v, want %v", tc.name, p.waited, tc.want)
		}
	}
}
