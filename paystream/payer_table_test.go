package paystream

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every state × event is either permitted, with this outcome, or refused.
func TestPayerTable(t *testing.T) {
	const no = payerState(255)
	for _, tc := range []struct {
		from payerState
		// admitted, forgotten, denied, stop, overdue, done, end
		to [payerEventEnd]payerState
	}{
		{payerOpening, [...]payerState{payerLive, no, payerRefused, no, payerClosed, no, payerClosed}},
		{payerLive, [...]payerState{no, payerOpening, no, payerLeaving, payerClosed, payerCompleted, payerClosed}},
		{payerLeaving, [...]payerState{no, payerClosed, no, no, payerClosed, payerCompleted, payerClosed}},
		{payerCompleted, [...]payerState{no, no, no, no, no, no, no}},
		{payerRefused, [...]payerState{no, no, no, no, no, no, no}},
		{payerClosed, [...]payerState{no, no, no, no, no, no, no}},
	} {
		for on := range payerEventEnd {
			to, say, ok := payerNext(tc.from, on)
			switch want := tc.to[on]; {
			case ok != (want != no):
				t.Errorf("%s on event %d: permitted %v", tc.from, on, ok)
			case ok && to != want:
				t.Errorf("%s on event %d goes to %s, want %s", tc.from, on, to, want)
			case ok && to.over() && say == "":
				t.Errorf("%s on event %d ends without a word", tc.from, on)
			case !ok && to != tc.from:
				t.Errorf("%s on event %d is refused, and yet moves to %s", tc.from, on, to)
			}
		}
	}
	seen := make(map[[2]uint8]bool)
	for _, row := range payerTable {
		k := [2]uint8{uint8(row.from), uint8(row.on)}
		if seen[k] {
			t.Errorf("%s on event %d is listed twice", row.from, row.on)
		}
		seen[k] = true
	}
}

func TestPaymentTable(t *testing.T) {
	for _, tc := range []struct {
		from PaymentStep
		// invoiced, begun, settled, dropped
		to [paymentEventEnd]PaymentStep
	}{
		{StepIntent, [...]PaymentStep{StepInvoice, "", "", StepFailed}},
		{StepInvoice, [...]PaymentStep{"", StepPaying, "", StepFailed}},
		{StepPaying, [...]PaymentStep{"", StepPaying, StepPaid, StepFailed}},
		{StepPaid, [...]PaymentStep{"", "", "", ""}},
		{StepFailed, [...]PaymentStep{"", "", "", ""}},
	} {
		for on := range paymentEventEnd {
			if to, ok := paymentNext(tc.from, on); ok != (tc.to[on] != "") || ok && to != tc.to[on] {
				t.Errorf("%s on event %d: %s, %v, want %q", tc.from, on, to, ok, tc.to[on])
			}
		}
	}
}

func TestPayerStateNames(t *testing.T) {
	for s := payerOpening; s <= payerClosed; s++ {
		if got, err := parsePayerState(s.String()); err != nil || got != s {
			t.Errorf("%s is read as %s, %v", s, got, err)
		}
	}
	if _, err := parsePayerState("live"); err == nil {
		t.Error("an unknown state was accepted")
	}
}

func TestSpread(t *testing.T) {
	for _, tc := range []struct{ n, k, want int }{
		{9, 1, 1}, {9, 2, 3}, {9, 3, 3}, {9, 4, 5}, {9, 5, 9}, {9, 9, 9}, {1, 1, 1}, {10, 3, 4}, {10, 5, 5},
	} {
		if got := spread(tc.n, tc.k); got != tc.want {
			t.Errorf("spread(%d, %d) = %d, want %d", tc.n, tc.k, got, tc.want)
		}
		var parts []int
		for left := tc.n; left > 0; {
			part := min(spread(left, tc.k), left)
			parts = append(parts, part)
			left -= part
		}
		if diff := cmp.Diff(true, parts[len(parts)-1] >= tc.k); diff != "" {
			t.Errorf("%d rounds, %d at once: %v leaves a small rest", tc.n, tc.k, parts)
		}
	}
}
