package web

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/figures"
	"github.com/el-tor/tops/paystream"
)

func TestWords(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{sat(0), "0"}, {sat(1), "0.001"}, {sat(1500), "1.5"}, {sat(1_234_567_000), "1\u202f234\u202f567"}, {sat(-2500), "−2.5"},
		{bytesOf(999), "999 B"}, {bytesOf(1000), "1.0 kB"}, {bytesOf(999_499), "999 kB"}, {bytesOf(999_600), "1.0 MB"}, {bytesOf(123_456_789), "123 MB"},
		{ago(119 * time.Second), "119 s"}, {ago(121 * time.Second), "2 min"}, {ago(-time.Second), "0 s"}, {ago(90 * time.Minute), "1 h"}, {ago(49 * time.Hour), "2 days"},
		{every(time.Minute), "a minute"}, {every(90 * time.Second), "each 90 s"}, {every(5 * time.Minute), "each 5 min"}, {every(time.Hour), "an hour"}, {every(500 * time.Millisecond), "each 500ms"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	for _, why := range paystream.Reasons() {
		if reasonWords[why] == "" {
			t.Errorf("%q has no words", why)
		}
	}
	for _, why := range gateway.Refusals() {
		if refusalWords[why] == "" {
			t.Errorf("%q has no words", why)
		}
	}
}

func TestChart(t *testing.T) {
	at := time.Date(2026, 3, 4, 15, 30, 0, 0, time.UTC)
	for msat, want := range map[int64][]int64{
		1: {1, 0}, 3: {3, 2, 1, 0}, 1000: {1000, 800, 600, 400, 200, 0}, 1001: {1500, 1000, 500, 0}, 21_500: {25_000, 20_000, 15_000, 10_000, 5000, 0},
		250_000: {250_000, 200_000, 150_000, 100_000, 50_000, 0}, math.MaxInt64 / 100: nil,
	} {
		c := newChart(figures.Fill(at, time.Hour, 24, []figures.Bar{{From: at, Msat: msat}}), time.Hour)
		if want != nil && !slices.Equal(c.Steps, want) {
			t.Errorf("%d msat: steps %v, want %v", msat, c.Steps, want)
		}
		last := c.Bars[len(c.Bars)-1]
		if last.Y < 0 || last.Height < 50 || last.Y+last.Height != 100 || len(c.Steps) > 6 || c.Lines[0] != 0 || c.Lines[len(c.Lines)-1] != 100 {
			t.Errorf("%d msat: a bar from %v, %v high, lines at %v", msat, last.Y, last.Height, c.Lines)
		}
	}
	if c := newChart(figures.Fill(at, time.Hour, 24, nil), time.Hour); !slices.Equal(c.Labels, []string{"16:00", "20:00", "00:00", "04:00", "08:00", "12:00"}) {
		t.Errorf("hours: %q", c.Labels)
	}
	if c := newChart(figures.Fill(at, 24*time.Hour, 30, nil), 24*time.Hour); !slices.Equal(c.Labels, []string{"3 Feb", "8 Feb", "13 Feb", "18 Feb", "23 Feb", "28 Feb"}) {
		t.Errorf("days: %q", c.Labels)
	}
}

func TestRounds(t *testing.T) {
	r := newRounds(4, 6, 5)
	var classes []string
	for _, s := range r.Segments {
		classes = append(classes, s.Class)
	}
	for i, want := range []string{"paid", "paid", "paid", "now paid", "prepaid", "ahead"} {
		if classes[i] != want {
			t.Errorf("round %d is %q, want %q", i+1, classes[i], want)
		}
	}
	if s := newRounds(2, 6, 0).Segments; s[0].Class != "owed" || s[1].Class != "now" {
		t.Errorf("%+v", s)
	}
	if newRounds(0, 0, 0).Segments != nil {
		t.Error("rounds of nothing")
	}
}
