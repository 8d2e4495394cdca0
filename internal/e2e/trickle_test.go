//go:build world

package e2e_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/client"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/testnet"
)

// trickles has the cheapest exit pass sixteen kilobytes a second, where the policy
// wants more: it is left in its first round, unpaid and remembered for it, and the app
// gets the rest through another one.
func (w *apps) trickles(t *testing.T) {
	slow := w.exits[0]
	w.setTerms(t, func(r *config.Relay) {
		r.Interval, r.Grace = config.Duration(4*time.Second), config.Duration(2*time.Second)
		if r.RateMsat == 1000 {
			r.UplinkBytes = 16 << 10
		}
	})
	w.browse(t, func(c *config.Client) { c.MinGoodput, c.Thrift = 48<<10, 0 })
	c := w.controller(t)

	// The slow one is the only one at first.
	others := strings.Join([]string{w.exits[1].Fingerprint, w.exits[2].Fingerprint}, ",")
	t.Cleanup(func() { c.Do(context.Background(), "RESETCONF StrictNodes ExcludeExitNodes") })
	c.ok(t, "SETCONF StrictNodes=1 ExcludeExitNodes="+others)
	c.ok(t, "SIGNAL NEWNYM") // spares of before
	conn, err := dialAs(t.Context(), "trickle", chargen.String())
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	d := read(t, conn)
	users := w.usersOf(t)
	circ := ""
	for id, relay := range users {
		if relay != slow.Fingerprint {
			t.Fatalf("circuits %v, want one to the only exit that is not excluded", users)
		}
		circ = id
	}
	c.ok(t, "RESETCONF StrictNodes ExcludeExitNodes")

	closed := c.wait(t, "the slow circuit to be left", 10*time.Second, func(e controlspec.PayStreamEvent) bool {
		return e.CircID == circ && e.Status == controlspec.StatusClosed
	})
	took := time.Since(begin)
	if closed.Reason != "QUALITY" || closed.PaidMsat != 0 {
		t.Errorf("left after %v as %+v, want QUALITY and nothing paid", took, closed)
	}
	until(t, "the app to hear of it", 5*time.Second, d.ended)
	t.Logf("%d bytes came in %v, until the exit was left", d.bytes.Load(), took.Round(10*time.Millisecond))

	if conn, err = dialAs(t.Context(), "trickle", chargen.String()); err != nil {
		t.Fatal(err)
	}
	again := read(t, conn)
	for id, relay := range w.usersOf(t) {
		if relay == slow.Fingerprint {
			t.Errorf("circuit %s leads to the slow exit again", id)
		}
	}
	// Beside it a server that has a little to say, again and again: nobody is left for
	// that, whatever goodput is asked for.
	if conn, err = dialAs(t.Context(), "clock", daytime.String()); err != nil {
		t.Fatal(err)
	}
	ticks := read(t, conn)
	at, had, circuits := time.Now(), again.bytes.Load(), w.usersOf(t)
	time.Sleep(9 * time.Second) // two rounds
	ticks.goesOn(t)
	for id := range circuits {
		if _, there := w.usersOf(t)[id]; !there {
			t.Errorf("circuit %s was left", id)
		}
	}
	if pace := float64(again.bytes.Load()-had) / time.Since(at).Seconds(); again.ended() || pace < 48<<10 {
		t.Errorf("through another exit: ended %v, %.0f bytes/s", again.ended(), pace)
	}
	w.offered(t, "the slow exit to be remembered for it", func(list []client.RelayStatus) bool {
		for _, r := range list {
			if r.Relay == slow.Fingerprint {
				return r.Experience.Bad > 0.9 && r.Weight < 0.6 && r.Share == 0 || strings.Contains(r.Unusable, "a short while ago") && r.Experience.Bad > 0.9
			}
		}
		return false
	})
}

// daytime is a server that says hello at some length, and then the time.
var daytime = netip.AddrPortFrom(chargen.Addr(), 13)

func serveDaytime(t *testing.T, outside *testnet.Outside) {
	ln, err := outside.Listen("tcp", daytime.String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); ln.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { tick(ctx, conn) })
		}
	})
}

func tick(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	if _, err := conn.Write(make([]byte, 4000)); err != nil {
		return
	}
	every := time.NewTicker(200 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-every.C:
			if _, err := fmt.Fprintln(conn, now); err != nil {
				return
			}
		}
	}
}
