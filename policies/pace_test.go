package policies_test

import (
	"errors"
	"testing"
	"time"

	"github.com/el-tor/tops/policies"
)

func TestJudge(t *testing.T) {
	p := policies.DefaultPayment()
	p.MinGoodput, p.MaxFirstByte, p.SlowestShare = 1000, 10*time.Second, 0.1
	const none = policies.UnknownGoodput
	usual := policies.Pace{Goodput: 500_000, FirstByte: 300 * time.Millisecond}
	for _, tc := range []struct {
		name        string
		seen, usual policies.Pace
		what        string // "" is good
		byUsual     bool
	}{
		{"idle", policies.Pace{Goodput: none}, usual, "", false},
		{"as always", policies.Pace{Goodput: 400_000, FirstByte: time.Second}, usual, "", false},
		{"nothing came", policies.Pace{Goodput: 0}, usual, "goodput", false},
		{"just below the policy", policies.Pace{Goodput: 999}, policies.Pace{Goodput: none}, "goodput", false},
		{"just at it, and nothing to compare with", policies.Pace{Goodput: 1000}, policies.Pace{Goodput: none}, "", false},
		{"far below the others", policies.Pace{Goodput: 49_999}, usual, "goodput", true},
		{"a tenth of the others", policies.Pace{Goodput: 50_000}, usual, "", false},
		{"an answer after long", policies.Pace{Goodput: none, FirstByte: 11 * time.Second}, usual, "first byte", false},
		{"far behind the others", policies.Pace{Goodput: none, FirstByte: 3001 * time.Millisecond}, usual, "first byte", true},
		{"behind others that are very fast, unnoticed", policies.Pace{Goodput: none, FirstByte: 1900 * time.Millisecond},
			policies.Pace{Goodput: none, FirstByte: 10 * time.Millisecond}, "", false},
	} {
		err := p.Judge(tc.seen, tc.usual)
		var slow *policies.TooSlow
		switch errors.As(err, &slow); {
		case tc.what == "" && err != nil:
			t.Errorf("%s: %v, want no objection", tc.name, err)
		case tc.what != "" && (slow == nil || slow.What != tc.what || slow.Usual != tc.byUsual):
			t.Errorf("%s: %v, want too slow a %s (by what is usual: %v)", tc.name, err, tc.what, tc.byUsual)
		}
	}
	p.SlowestShare = 0
	if err := p.Judge(policies.Pace{Goodput: 1000, FirstByte: 9 * time.Second}, usual); err != nil {
		t.Errorf("with no share set others do not count: %v", err)
	}
}
