package policies_test

import (
	"testing"

	"pgregory.net/rapid"
)

func TestScheduleOfTheSpecification(t *testing.T) {
	s := vectorTerms().Schedule()
	want := []int64{0: 0, 1: 0, 2: 1000, 3: 1000, 4: 1000, 5: 1000, 6: 1000, 7: 1000, 8: 1000, 9: 1000, 10: 2000, 11: 0}
	for r, price := range want {
		if got := s.PriceMsat(r); got != price {
			t.Errorf("PriceMsat(%d) = %d, want %d", r, got, price)
		}
	}
	if got := s.TotalMsat(); got != 10_000 {
		t.Errorf("TotalMsat = %d, want 10000", got)
	}
	if got := s.FirstPriced(); got != 2 {
		t.Errorf("FirstPriced = %d, want 2", got)
	}
}

func TestScheduleAgreesWithTheSumOfPrices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		terms := anyTerms(t)
		s := terms.Schedule()
		var sum int64
		for r := 1; r <= terms.Rounds; r++ {
			sum += s.PriceMsat(r)
			if got := s.ThroughMsat(r); got != sum {
				t.Fatalf("ThroughMsat(%d) = %d, the prices sum to %d", r, got, sum)
			}
		}
		fee := rapid.Int64Range(0, terms.FeeMsat).Draw(t, "fee")
		balance := rapid.Int64Range(0, sum+fee+10).Draw(t, "balance")
		want := 0
		for r := 1; r <= terms.Rounds && balance-fee >= s.ThroughMsat(r); r++ {
			want = r
		}
		if got := s.PaidThrough(balance, fee); got != want {
			t.Fatalf("PaidThrough(%d, %d) = %d, want %d", balance, fee, got, want)
		}
	})
}

func TestAllowance(t *testing.T) {
	terms := vectorTerms()
	for _, tc := range []struct {
		name                string
		credited, continued bool
		paid                int
		want                int64
	}{
		{"nothing credited", false, false, 0, 1 << 20},
		{"credited, no round covered", true, false, 0, 1<<20 + 256<<20},
		{"two rounds covered", true, false, 2, 1<<20 + 3*256<<20},
		{"continued, unpaid", false, true, 0, 1<<20 + 2*256<<20},
	} {
		if got := terms.AllowanceBytes(tc.credited, tc.continued, tc.paid); got != tc.want {
			t.Errorf("%s: %d bytes, want %d", tc.name, got, tc.want)
		}
	}
}
