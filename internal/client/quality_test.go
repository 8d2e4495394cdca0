package client

import (
	"testing"
	"time"
)

func TestQualityCountsOnlyWhatWasWaitedFor(t *testing.T) {
	var q quality
	begin := time.Unix(1_000_000, 0)
	at := func(s float64) time.Time { return begin.Add(time.Duration(s * float64(time.Second))) }
	bytes := int64(0)
	for i := range 100 { // ten seconds: a transfer until 3, silence until 7, waiting in vain until 10
		s := float64(i) / 10
		waiting := s <= 3 || s > 7
		if s <= 3 {
			bytes += 1000
		}
		q.note(at(s), bytes, waiting, 20*time.Second)
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
		q.note(begin.Add(time.Duration(i)*100*time.Millisecond), int64(i), true, 2*time.Minute)
	}
	if len(q.samples) > 200 {
		t.Errorf("%d samples are kept", len(q.samples))
	}
	if bytes, waited := q.since(q.last.at.Add(-time.Minute)); bytes < 590 || bytes > 620 || waited < 59*time.Second || waited > 62*time.Second {
		t.Errorf("the last minute: %d bytes in %s, want 600 in 1m0s", bytes, waited)
	}
}

func TestWhenATunnelWaits(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	ago := func(d time.Duration) int64 { return now.Add(-d).UnixNano() }
	for _, tc := range []struct {
		name            string
		up, down        int64
		waiting, silent bool
	}{
		{"just opened", 0, 0, false, false},
		{"asked, no answer yet", ago(2 * time.Second), 0, true, false},
		{"asked long ago: a long poll", ago(30 * time.Second), 0, false, false},
		{"in full flow", ago(5 * time.Second), ago(100 * time.Millisecond), true, false},
		{"stopped, or over", ago(5 * time.Second), ago(3 * time.Second), false, true},
		{"answered, and asked again", ago(time.Second), ago(3 * time.Second), true, false},
	} {
		tun := &tunnel{}
		tun.lastUp.Store(tc.up)
		tun.lastDown.Store(tc.down)
		if got := tun.waiting(now); got != tc.waiting {
			t.Errorf("%s: waiting %v, want %v", tc.name, got, tc.waiting)
		}
		if got := tun.silent(now); got != tc.silent {
			t.Errorf("%s: silent %v, want %v", tc.name, got, tc.silent)
		}
	}
}
