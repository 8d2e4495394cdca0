package clock_test

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/clock"
)

// machine is a computer whose two clocks a test sets.
type machine struct {
	boot time.Duration
	wall time.Time
}

func (m *machine) source() clock.Source {
	return clock.Source{Boot: func() time.Duration { return m.boot }, Wall: func() time.Time { return m.wall }}
}

// pass lets time pass on both clocks.
func (m *machine) pass(d time.Duration) {
	m.boot += d
	m.wall = m.wall.Add(d)
}

var start = time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)

func newMachine() *machine { return &machine{boot: 77 * time.Hour, wall: start} }

func TestNowCountsWhatPasses(t *testing.T) {
	m := newMachine()
	c := clock.NewFrom(m.source())
	if got := c.Now(); !got.Equal(start) {
		t.Errorf("at first Now is %s, want the wall's %s", got, start)
	}
	for _, d := range []time.Duration{1, time.Second, 8 * time.Hour} {
		before := c.Now()
		m.pass(d)
		if got := c.Now().Sub(before); got != d {
			t.Errorf("%s passed, and Now says %s", d, got)
		}
	}
	if c.Jumped() || c.Skew() != 0 {
		t.Errorf("nobody set the clock: skew %s", c.Skew())
	}
}

func TestSettingTheWallDoesNotMoveNow(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour, 501 * time.Millisecond, -501 * time.Millisecond} {
		m := newMachine()
		c := clock.NewFrom(m.source())
		m.pass(time.Minute)
		m.wall = m.wall.Add(by)
		if got := c.Now().Sub(start); got != time.Minute {
			t.Errorf("set by %s: %s passed, want 1m", by, got)
		}
		if got := c.Skew(); got != by {
			t.Errorf("set by %s: Skew = %s", by, got)
		}
		if !c.Jumped() {
			t.Errorf("set by %s: Jumped = false", by)
		}
		if c.Jumped() {
			t.Errorf("set by %s: a second Jumped = true, and it jumped once", by)
		}
		m.wall = m.wall.Add(-by) // and back, which is a jump again
		if !c.Jumped() || c.Skew() != 0 {
			t.Errorf("set back by %s: no jump, or a skew: %s", by, c.Skew())
		}
	}
}

func TestDriftIsNoJump(t *testing.T) {
	m := newMachine()
	c := clock.NewFrom(m.source())
	for range 24 * 60 {
		m.pass(time.Minute)
		m.wall = m.wall.Add(30 * time.Millisecond)
		if c.Jumped() {
			t.Fatalf("Jumped after %s of drift", c.Skew())
		}
	}
	if c.Skew() != 24*60*30*time.Millisecond {
		t.Errorf("Skew = %s", c.Skew())
	}
}

// The machine's own clock goes on, agrees with /proc/uptime (which counts time
// asleep), and its times carry no monotonic reading.
func TestTheMachinesClock(t *testing.T) {
	c := clock.New()
	a := c.Now()
	for c.Now().Equal(a) { // a clock with any resolution leaves this at once
	}
	b := c.Now()
	if !b.After(a) || b.Sub(a) > time.Minute {
		t.Errorf("Now went from %s to %s", a, b)
	}
	if a != a.Round(0) {
		t.Errorf("%v has a monotonic reading", a)
	}
	if skew := c.Skew().Abs(); skew > time.Second {
		t.Errorf("Skew = %s right after New", skew)
	}

	raw, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	boot := clock.Boot()
	uptime, err := strconv.ParseFloat(strings.Fields(string(raw))[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	if d := boot.Seconds() - uptime; d < -1 || d > 60 {
		t.Errorf("Boot = %s, and /proc/uptime says %v s", boot, uptime)
	}
}

func TestManyMayAsk(t *testing.T) {
	c := clock.New()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			last := c.Now()
			for range 1000 {
				now := c.Now()
				if now.Before(last) {
					t.Errorf("time went back from %s to %s", last, now)
				}
				last = now
				c.Jumped()
			}
		})
	}
	wg.Wait()
}

func BenchmarkNow(b *testing.B) {
	c := clock.New()
	for b.Loop() {
		c.Now()
	}
}
