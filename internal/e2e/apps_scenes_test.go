package e2e_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/policies"
)

// identities keeps users apart, and lets go of circuits when a controller asks for a
// new identity, without an open connection noticing.
func (w *apps) identities(t *testing.T) {
	w.renewIdentity(t)
	long := make(map[string]*download)
	for _, user := range []string{"", "alice", "bob"} {
		conn, err := dialAs(t.Context(), user, chargen.String())
		if err != nil {
			t.Fatal(err)
		}
		long[user] = read(t, conn)
	}
	before := w.usersOf(t)
	if len(before) != 3 {
		t.Fatalf("three users have circuits %v, want three", before)
	}
	c := w.controller(t)
	c.ok(t, "SIGNAL NEWNYM")
	until(t, "connections to get other circuits", 20*time.Second, func() bool {
		if err := fetch(t.Context(), "alice", 100); err != nil {
			t.Fatal(err)
		}
		return len(w.usersOf(t)) == 4
	}, func() string { return fmt.Sprint(w.usersOf(t)) })
	for user, d := range long {
		d.goesOn(t)
		if user != "alice" {
			continue
		}
		now := w.usersOf(t)
		for id := range before {
			if _, there := now[id]; !there {
				t.Errorf("circuit %s was left while a download ran on it", id)
			}
		}
	}
}

// continuations has one download outlive twenty pay streams of three rounds, a second
// each.
func (w *apps) continuations(t *testing.T) {
	const times = 20
	w.setTerms(t, func(r *config.Relay) {
		r.Interval, r.Grace, r.Rounds = config.Duration(time.Second), config.Duration(time.Second), 3
		r.Prepay = 1
	})
	w.browse(t, func(c *config.Client) { c.HourMsat, c.DayMsat = 1_000_000, 1_000_000 })
	c := w.controller(t)
	conn, err := dialAs(t.Context(), "download", chargen.String())
	if err != nil {
		t.Fatal(err)
	}
	d := read(t, conn)
	done := make(map[string]bool)
	begin := time.Now()
	for len(done) < times {
		e := c.wait(t, "a pay stream to be served to its end", 15*time.Second, func(e controlspec.PayStreamEvent) bool {
			return !done[e.Handle] && e.Status == controlspec.StatusCompleted && e.CircID != "0"
		})
		done[e.Handle] = true
		if d.ended() {
			t.Fatalf("the download ended in the %dth pay stream: %v", len(done), d.err)
		}
	}
	d.goesOn(t)
	for _, e := range c.heard {
		if e.Status == controlspec.StatusLate || e.Status == controlspec.StatusRefused {
			t.Errorf("%+v", e)
		}
	}
	if err := w.nodes.Audit(); err != nil {
		t.Error(err)
	}
	t.Logf("%d pay streams completed in %v, %d bytes came on one connection", len(done), time.Since(begin).Round(time.Second), d.bytes.Load())
}

// budget opens 200 circuits, more than there is money for. Not a msat goes beyond the
// limit; who comes later goes free and it is said, or is refused.
func (w *apps) budget(t *testing.T) {
	const circuits, atOnce = 200, 20
	const limit = 201_777
	w.setTerms(t, func(r *config.Relay) {
		r.Interval, r.Grace, r.Rounds, r.FinalMsat = config.Duration(2*time.Second), config.Duration(2*time.Second), 2, 1500
		r.Prepay = 1
	})
	w.browse(t, func(c *config.Client) {
		c.TotalMsat, c.HourMsat, c.DayMsat = limit, 10*limit, 10*limit
		c.AtCap, c.Continue = string(policies.Free), false
	})
	before := w.nodes.Balances()["payer"]
	start := w.totals(t, "client").SpentMsat
	var failed atomic.Int64
	users := make(chan int)
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for n := range users {
				conn, err := dialAs(t.Context(), fmt.Sprintf("user %d", n), chargen.String())
				if err != nil {
					failed.Add(1)
					t.Logf("user %d: %v", n, err)
					continue
				}
				d := read(t, conn)
				select {
				case <-d.done:
				case <-time.After(3 * time.Second): // until its round is paid
				}
				conn.Close()
			}
		})
	}
	for n := range circuits {
		users <- n
	}
	close(users)
	wg.Wait()
	until(t, "payments to end", 30*time.Second, func() bool { return w.totals(t, "client").HeldMsat == 0 })
	st := w.status(t)
	after := w.nodes.Balances()["payer"]
	sent := after.SentMsat + after.FeesMsat - before.SentMsat - before.FeesMsat
	booked := w.totals(t, "client").SpentMsat
	t.Logf("%d of %d msat spent on %d circuits, %d connections failed", booked, limit, circuits, failed.Load())
	if booked > limit || booked-start != sent || booked < limit*8/10 {
		t.Errorf("the books have %d msat, the node sent %d since %d: want the same, and most of the limit of %d", booked, sent, start, limit)
	}
	for _, u := range st.Budget {
		if u.Which == "total" && u.SpentMsat != booked {
			t.Errorf("the budget counts %d msat, the books %d", u.SpentMsat, booked)
		}
	}
	if failed.Load() > 0 {
		t.Errorf("%d connections were refused though they may go free", failed.Load())
	}
	if st.AtCap == nil || st.AtCap.Reason != "BUDGET" || !st.AtCap.Free {
		t.Errorf("the status says %+v, want that connections go free for the BUDGET", st.AtCap)
	}
	if n := strings.Count(w.log.String(), "connections go through tor's ordinary circuits"); n != 1 {
		t.Errorf("the log says %d times that connections go free, want once", n)
	}
	if err := w.nodes.Audit(); err != nil {
		t.Error(err)
	}
}
