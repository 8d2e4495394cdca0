//go:build world

package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/cln/clnsim"
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
// each; and a circuit that is used now and then outlive tor's patience with it.
func (w *apps) continuations(t *testing.T) {
	const times = 20
	w.setTerms(t, func(r *config.Relay) {
		r.Interval, r.Grace, r.Rounds = config.Duration(time.Second), config.Duration(time.Second), 3
		r.Prepay = 1
	})
	w.browse(t, func(c *config.Client) { c.HourMsat, c.DayMsat = 1_000_000, 1_000_000 })
	c := w.controller(t)
	c.ok(t, "SETCONF MaxCircuitDirtiness=10")
	t.Cleanup(func() { c.Do(context.Background(), "RESETCONF MaxCircuitDirtiness") })
	if err := fetch(t.Context(), "reader", 1000); err != nil {
		t.Fatal(err)
	}
	readers := w.usersOf(t)
	conn, err := dialAs(t.Context(), "download", chargen.String())
	if err != nil {
		t.Fatal(err)
	}
	d := read(t, conn)
	done, circ := make(map[string]bool), ""
	begin := time.Now()
	for len(done) < times {
		e := c.wait(t, "a pay stream to be served to its end", 15*time.Second, func(e controlspec.PayStreamEvent) bool {
			_, reader := readers[e.CircID]
			return !done[e.Handle] && !reader && e.Status == controlspec.StatusCompleted
		})
		done[e.Handle], circ = true, e.CircID
		if d.ended() {
			t.Fatalf("the download ended in the %dth pay stream: %v", len(done), d.err)
		}
		if err := fetch(t.Context(), "reader", 1000); err != nil {
			t.Errorf("in the %dth pay stream: %v", len(done), err)
		}
	}
	d.goesOn(t)
	now := w.usersOf(t)
	for id := range readers {
		if _, there := now[id]; !there || len(now) != 2 {
			t.Errorf("two users have circuits %v after a minute, and one had %v before", now, readers)
		}
	}
	for _, e := range c.heard { // an intent for the terms of before is asked again for those of now
		if e.CircID == circ && e.Rounds == 3 && (e.Status == controlspec.StatusLate || e.Status == controlspec.StatusRefused) {
			t.Errorf("%+v", e)
		}
	}
	if err := w.nodes.Audit(); err != nil {
		t.Error(err)
	}
	t.Logf("%d pay streams completed in %v, %d bytes came on one connection", len(done), time.Since(begin).Round(time.Second), d.bytes.Load())
}

// budget opens 200 circuits, more than there is money for. Not a msat goes beyond the
// limit; who comes later goes free, and that is said.
func (w *apps) budget(t *testing.T) {
	const circuits = 200
	const limit, price = 201_777, 1500
	w.setTerms(t, func(r *config.Relay) {
		r.Interval, r.Grace = config.Duration(3*time.Second), config.Duration(3*time.Second)
		r.Rounds, r.FinalMsat, r.Prepay = 2, price, 1
	})
	w.browse(t, func(c *config.Client) {
		c.TotalMsat, c.HourMsat, c.DayMsat = limit, 10*limit, 10*limit
		c.AtCap, c.Continue = string(policies.Free), false
		c.Thrift = 0 // all exits alike
	})
	before, start := w.nodes.Balances()["payer"], w.totals(t, "client").SpentMsat
	w.crowd(t, circuits)
	w.settled(t)
	st, after := w.status(t), w.nodes.Balances()["payer"]
	sent := after.SentMsat + after.FeesMsat - before.SentMsat - before.FeesMsat
	booked := w.totals(t, "client").SpentMsat
	t.Logf("%d of %d msat spent, for %d users", booked, limit, circuits)
	if booked > limit || booked-start != sent || limit-booked > 2*price {
		t.Errorf("the books have %d msat, %d of them from before, the node sent %d: want all but the last of the %d", booked, start, sent, limit)
	}
	for _, u := range st.Budget {
		if u.Which == "total" && (u.SpentMsat != booked || u.HeldMsat != 0) {
			t.Errorf("the budget counts %d msat and holds %d, the books have %d", u.SpentMsat, u.HeldMsat, booked)
		}
	}
	var today int64
	for _, s := range st.Today {
		today += s.SpentMsat
	}
	if today != booked {
		t.Errorf("of today's %d msat the status accounts for %d: %+v", booked, today, st.Today)
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

// crowdEvery is how far apart users come: nodes take four requests for an invoice a
// second, and these are three.
const crowdEvery = 180 * time.Millisecond

// crowd has users come, one after the other, each with a connection of a second.
func (w *apps) crowd(t *testing.T, users int) {
	t.Helper()
	var wg sync.WaitGroup
	defer wg.Wait()
	tick := time.NewTicker(crowdEvery)
	defer tick.Stop()
	for n := range users {
		wg.Go(func() {
			if err := fetch(t.Context(), fmt.Sprintf("user %d", n), 1000); err != nil {
				t.Errorf("user %d: %v", n, err)
			}
		})
		<-tick.C
	}
}

// settled waits until every pay stream is over and nothing is held.
func (w *apps) settled(t *testing.T) {
	t.Helper()
	until(t, "the pay streams to end", 30*time.Second, func() bool {
		return len(w.usersOf(t)) == 0 && w.totals(t, "client").HeldMsat == 0
	})
}

// middle pays the second hop too, on its word, at moments of its own.
func (w *apps) middle(t *testing.T) {
	w.setTerms(t, nil)
	w.browse(t, func(c *config.Client) { c.PayMiddle = true })
	c := w.controller(t)
	begin := len(w.nodes.Payments())
	circ := c.extend(t, []string{w.net.Relays[3].Fingerprint, w.exits[2].Fingerprint, w.exits[0].Fingerprint})
	for hop, relay := range map[int]string{2: w.exits[2].Fingerprint, 3: w.exits[0].Fingerprint} {
		for round := 2; round <= 3; round++ {
			c.wait(t, fmt.Sprintf("round %d of hop %d to be paid", round, hop), 20*time.Second, func(e controlspec.PayStreamEvent) bool {
				return e.CircID == circ && e.Hop == hop && e.Relay == relay && e.Status == controlspec.StatusPaid && e.Round >= round
			})
		}
	}
	paid := w.nodes.Payments()[begin:]
	slices.SortFunc(paid, func(a, b clnsim.Payment) int { return a.Started.Compare(b.Started) })
	for i := 1; i < len(paid); i++ {
		if paid[i].Started.Before(paid[i-1].Ended) {
			t.Errorf("two payments of one circuit were under way at once: %+v and %+v", paid[i-1], paid[i])
		}
	}
	c.closeCircuit(circ)
	until(t, "both pay streams to end", 10*time.Second, func() bool {
		return !strings.Contains(c.info(t, "tops/circuit/"+circ), " PAID CIRC=")
	}, func() string { return c.info(t, "tops/circuit/"+circ) })
}
