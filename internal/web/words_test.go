package web

import (
	"testing"
	"time"

	"github.com/el-tor/tops/gateway"
)

func TestWords(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{sat(0), "0"}, {sat(1), "0.001"}, {sat(1500), "1.5"}, {sat(1_234_567_000), "1\u202f234\u202f567"}, {sat(-2500), "−2.5"},
		{bytesOf(999), "999 B"}, {bytesOf(1000), "1.0 kB"}, {bytesOf(999_499), "999 kB"}, {bytesOf(999_600), "1.0 MB"}, {bytesOf(123_456_789), "123 MB"},
		{ago(59 * time.Second), "59 s"}, {ago(-time.Second), "0 s"}, {ago(90 * time.Minute), "1 h"}, {ago(49 * time.Hour), "2 days"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	for _, why := range gateway.Refusals() {
		if refusalWords[why] == "" {
			t.Errorf("%q has no words", why)
		}
	}
}

func TestRoundUp(t *testing.T) {
	for msat, want := range map[int64]int64{1: 1, 3: 5, 1000: 1000, 1001: 2000, 5001: 10_000, 21_500: 50_000} {
		if got := roundUp(msat); got != want {
			t.Errorf("roundUp(%d) = %d, want %d", msat, got, want)
		}
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
