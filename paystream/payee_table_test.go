package paystream

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every state × event is either permitted, with this outcome, or refused.
func TestPayeeTable(t *testing.T) {
	type outcome struct {
		to  payeeState
		act payeeAction
	}
	no := outcome{255, actNone}
	cut, closed, done := outcome{payeeLate, actCut}, outcome{payeeClosed, actCut}, outcome{payeeCompleted, actHandOver}
	nothing := [payeeEventEnd]outcome{no, no, no, no, no, no}
	for _, tc := range []struct {
		from payeeState
		// begin, over, full, overdue, abandon, end
		want [payeeEventEnd]outcome
	}{
		{payeePending, [...]outcome{{payeeLive, actServe}, no, no, no, cut, closed}},
		{payeeLive, [...]outcome{no, {payeeEnding, actNone}, done, cut, no, closed}},
		{payeeEnding, [...]outcome{no, no, done, cut, no, closed}},
		{payeeCompleted, nothing},
		{payeeLate, nothing},
		{payeeClosed, nothing},
	} {
		for on := range payeeEventEnd {
			to, act, ok := payeeNext(tc.from, on)
			want := tc.want[on]
			if want == no {
				if ok || to != tc.from || act != actNone {
					t.Errorf("%s on event %d: %s, action %d, permitted %v; want it refused", tc.from, on, to, act, ok)
				}
				continue
			}
			if diff := cmp.Diff(want, outcome{to, act}, cmp.AllowUnexported(outcome{})); !ok || diff != "" {
				t.Errorf("%s on event %d, permitted %v (-want +got):\n%s", tc.from, on, ok, diff)
			}
		}
	}
	seen := make(map[[2]uint8]bool)
	for _, row := range payeeTable {
		k := [2]uint8{uint8(row.from), uint8(row.on)}
		if seen[k] {
			t.Errorf("%s on event %d is listed twice", row.from, row.on)
		}
		seen[k] = true
	}
}

// The words of the states are in journals: each is read as what was written.
func TestPayeeStateWords(t *testing.T) {
	for s := payeePending; s <= payeeClosed; s++ {
		if got, err := parsePayeeState(s.String()); err != nil || got != s {
			t.Errorf("%q is read as %v, %v", s, got, err)
		}
	}
	for _, bad := range []string{"", "live", "GONE"} {
		if got, err := parsePayeeState(bad); err == nil {
			t.Errorf("%q is read as %v, want an error", bad, got)
		}
	}
}
