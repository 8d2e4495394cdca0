package client

import (
	"testing"
	"time"
)

func TestQualityCountsOnlyWhatWasWaitedFor(t *testing.T) {
	var q quality
	begin := time.Unix(1_000_000, 0)
	at := func(s float64) time.Time { return begin.Add(time.Duration(s * float64(time.Second))) }
	bytes, waited := int64(0), time.Duration(0)
	for i := range 100 { // ten seconds: a transfer until 3, silence until 7, waiting in vain until 10
		s := float64(i) / 10
		if s <= 3 || s > 7 {
			waited += 100 * time.Millisecond
		}
		if s <= 3 {
			bytes += 1000
		}
		q.note(at(s), bytes, waited, 20*time.Second)
	}
	for _, tc := range []struct {
		name   string
		since  float64
		bytes  int64
		waited time.Duration
	}{
		{"all of it", -1, 31_000, 5900 * time.Millisecond},
		{"the silence and what followed", 4, 0, 2900 * time.Millisecond},
		{"in vain", 8, 0, 1900 * time.Millisecond},
	} {
		gotBytes, gotWaited := q.since(at(tc.since))
		if d := gotWaited - tc.waited; gotBytes != tc.bytes || d < -300*time.Millisecond || d > 300*time.Millisecond {
			t.Errorf("%s: %d bytes in %s, want %d in about %s", tc.name, gotBytes, gotWaited, tc.bytes, tc.waited)
		}
	}
}

func TestQualityKeepsABoundedPast(t *testing.T) {
	var q quality
	begin := time.Unix(1_000_000, 0)
	for i := range 100_000 {
		at := time.Duration(i) * 100 * time.Millisecond
		q.note(begin.Add(at), int64(i), at, 2*time.Minute)
	}
	if len(q.samples) > 200 {
		t.Errorf("%d samples are kept", len(q.samples))
	}
	if bytes, waited := q.since(q.last.at.Add(-time.Minute)); bytes < 590 || bytes > 620 || waited < 59*time.Second || waited > 62*time.Second {
		t.Errorf("the last minute: %d bytes in %s, want 600 in 1m0s", bytes, waited)
	}
}

func TestWhatATunnelWaitsFor(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	ago := func(d time.Duration) int64 { return now.Add(-d).UnixNano() }
	for _, tc := range []struct {
		name                     string
		up, down, full           int64
		awaited, flowing, silent bool
	}{
		{"just opened", 0, 0, 0, false, false, false},
		{"asked, no answer yet", ago(2 * time.Second), 0, 0, true, false, true},
		{"asked long ago: a long poll", ago(30 * time.Second), 0, 0, false, false, true},
		{"a page that was just read", ago(5 * time.Second), ago(2 * time.Second), ago(2 * time.Second), false, false, true},
		{"in full flow", ago(5 * time.Second), ago(100 * time.Millisecond), ago(100 * time.Millisecond), false, true, false},
		{"in drops from its first byte on", ago(5 * time.Second), ago(100 * time.Millisecond), 0, false, true, false},
		{"in messages, after more", ago(5 * time.Second), ago(100 * time.Millisecond), ago(3 * time.Second), false, false, false},
		{"stopped, or over", ago(5 * time.Second), ago(3 * time.Second), ago(3 * time.Second), false, false, true},
		{"answered, and asked again", ago(time.Second), ago(3 * time.Second), ago(3 * time.Second), true, false, true},
		{"asked just now", ago(100 * time.Millisecond), ago(3 * time.Second), ago(3 * time.Second), true, false, false},
	} {
		tun := &tunnel{}
		tun.lastUp.Store(tc.up)
		tun.lastDown.Store(tc.down)
		tun.lastBulk.Store(tc.full)
		if a, f, s := tun.awaited(now), tun.flowing(now), tun.silent(now); a != tc.awaited || f != tc.flowing || s != tc.silent {
			t.Errorf("%s: awaited %v, flowing %v, silent %v; want %v, %v, %v", tc.name, a, f, s, tc.awaited, tc.flowing, tc.silent)
		}
	}
}

func TestFirstBytesThatDoNotCome(t *testing.T) {
	var q quality
	at := time.Unix(1_000_000, 0)
	if p := q.pace(at, time.Second, 1, 21*time.Second); p.FirstByte != 21*time.Second {
		t.Errorf("one that never comes: %v", p.FirstByte)
	}
	if p := q.pace(at, time.Second, 2, 21*time.Second); p.FirstByte != 0 {
		t.Errorf("one, where two are asked for: %v", p.FirstByte)
	}
	// A server that does not answer is outvoted by those that do.
	q.firstByte(at.Add(time.Second), 200*time.Millisecond)
	q.firstByte(at.Add(time.Second), 300*time.Millisecond)
	if p := q.pace(at, time.Second, 3, 21*time.Second); p.FirstByte != 300*time.Millisecond {
		t.Errorf("among two that came: %v", p.FirstByte)
	}
}
