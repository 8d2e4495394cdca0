package policies_test

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/el-tor/tops/policies"
)

func TestCheckNamesTheCap(t *testing.T) {
	p := policies.DefaultPayment()
	dear, longer := vectorTerms(), vectorTerms()
	dear.FinalMsat = 2001
	longer.FeeMsat = 1
	for _, tc := range []struct {
		name  string
		hops  []policies.Terms
		cap   string
		asked int64
	}{
		{"the specification's terms", []policies.Terms{vectorTerms()}, "", 0},
		{"two relays", []policies.Terms{vectorTerms(), vectorTerms()}, "", 0},
		{"a dear last round", []policies.Terms{vectorTerms(), dear}, "round", 2001},
		{"an opening fee too much", []policies.Terms{vectorTerms(), longer}, "circuit", 20_001},
	} {
		err := p.Check(tc.hops...)
		var over *policies.OverCap
		switch {
		case tc.cap == "" && err != nil:
			t.Errorf("%s: %v", tc.name, err)
		case tc.cap != "" && (!errors.As(err, &over) || over.Cap != tc.cap || over.AskedMsat != tc.asked || over.Reason() != "POLICY"):
			t.Errorf("%s: %v, want one about the %s", tc.name, err, tc.cap)
		}
	}
	if err := (policies.Payment{}).Check(vectorTerms()); err == nil {
		t.Error("the zero policy pays")
	}
}

func TestPays(t *testing.T) {
	exit := policies.DefaultPayment()
	all := exit
	all.Hops = []policies.Hop{policies.Exit, policies.Middle, policies.Guard}
	for _, tc := range []struct {
		hop, of   int
		exit, all bool
	}{{0, 3, false, false}, {1, 3, false, true}, {2, 3, false, true}, {3, 3, true, true}, {4, 3, false, false}, {1, 1, true, true}} {
		if got := exit.Pays(tc.hop, tc.of); got != tc.exit {
			t.Errorf("exit only: Pays(%d, %d) = %v", tc.hop, tc.of, got)
		}
		if got := all.Pays(tc.hop, tc.of); got != tc.all {
			t.Errorf("every hop: Pays(%d, %d) = %v", tc.hop, tc.of, got)
		}
	}
}

func TestRoutingCap(t *testing.T) {
	for _, tc := range []struct {
		percent            float64
		msat, amount, want int64
	}{{10, 0, 1000, 100}, {10, 50, 1000, 50}, {10, 500, 1000, 100}, {0.5, 0, 1999, 9}, {0, 0, 1000, 0}, {0, 10, 1000, 0}, {100, 0, 0, 0}} {
		p := policies.Payment{MaxRoutingPercent: tc.percent, MaxRoutingMsat: tc.msat}
		if got := p.RoutingCapMsat(tc.amount); got != tc.want {
			t.Errorf("%v%% and %d msat: the cap for %d msat is %d, want %d", tc.percent, tc.msat, tc.amount, got, tc.want)
		}
	}
}

func TestPrepayTheFewestRounds(t *testing.T) {
	flat := func(fee int64) func(int64) int64 { return func(int64) int64 { return fee } }
	for _, tc := range []struct {
		name        string
		round, risk int
		fee         int64
		want        int // 0: an error
	}{
		{"no fee", 2, 10, 0, 1},
		{"the cap of one round", 2, 10, 100, 1},
		{"a msat more", 2, 10, 101, 2},
		{"one satoshi needs the whole", 2, 10, 1000, 9},
		{"more than the whole bears", 2, 10, 1001, 0},
		{"the risk forbids it", 2, 8, 1000, 0},
		{"the last round alone bears 200", 10, 10, 200, 1},
		{"few rounds are left", 9, 10, 301, 0},
		{"the free round counts for nothing", 1, 10, 100, 1},
		{"no round is left", 11, 10, 0, 0},
	} {
		p := policies.DefaultPayment()
		p.Risk = tc.risk
		got, err := p.Prepay(vectorTerms(), tc.round, flat(tc.fee))
		if got != tc.want || (err == nil) != (tc.want > 0) {
			t.Errorf("%s: %d rounds (%v), want %d", tc.name, got, err, tc.want)
		}
	}
	p := policies.DefaultPayment()
	_, err := p.Prepay(vectorTerms(), 2, flat(5000))
	var fee *policies.FeeTooHigh
	if !errors.As(err, &fee) || fee.Reason() != "FEE" || *fee != (policies.FeeTooHigh{Rounds: 9, AmountMsat: 10_000, FeeMsat: 5000, CapMsat: 1000}) {
		t.Errorf("the error is %v, %+v", err, fee)
	}
}

func TestPrepayKeepsEveryBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		terms := anyTerms(t)
		p := policies.DefaultPayment()
		p.Risk = rapid.IntRange(1, 130).Draw(t, "risk")
		p.MaxRoutingPercent = rapid.Float64Range(0, 500).Draw(t, "percent")
		p.MaxRoutingMsat = rapid.Int64Range(0, 1e6).Draw(t, "cap")
		base, ppm := rapid.Int64Range(0, 5000).Draw(t, "base fee"), rapid.Int64Range(0, 20_000).Draw(t, "ppm")
		fee := func(amount int64) int64 { return base + amount*ppm/1e6 }
		round := rapid.IntRange(terms.FreeRounds+1, terms.Rounds).Draw(t, "round")
		fits := func(k int) bool {
			var amount int64
			for r := round; r < round+k; r++ {
				amount += terms.Schedule().PriceMsat(r)
			}
			return fee(amount) <= p.RoutingCapMsat(amount)
		}
		k, err := p.Prepay(terms, round, fee)
		most := min(p.Risk, terms.Prepay, terms.Rounds-round+1)
		if err != nil {
			k = most + 1 // none of them fits
		} else if k < 1 || k > most || !fits(k) {
			t.Fatalf("Prepay = %d of at most %d, which does not meet the cap or a bound", k, most)
		}
		for fewer := 1; fewer < k; fewer++ {
			if fits(fewer) {
				t.Fatalf("Prepay = %d (%v), and %d rounds would do", k, err, fewer)
			}
		}
	})
}

func TestValidatePayment(t *testing.T) {
	if err := policies.DefaultPayment().Validate(); err != nil {
		t.Errorf("the default: %v", err)
	}
	for name, spoil := range map[string]func(*policies.Payment){
		"negative round":   func(p *policies.Payment) { p.MaxRoundMsat = -1 },
		"negative circuit": func(p *policies.Payment) { p.MaxCircuitMsat = -1 },
		"negative routing": func(p *policies.Payment) { p.MaxRoutingMsat = -1 },
		"negative percent": func(p *policies.Payment) { p.MaxRoutingPercent = -1 },
		"not a number":     func(p *policies.Payment) { p.MaxRoutingPercent = math.NaN() },
		"negative goodput": func(p *policies.Payment) { p.MinGoodput = -1 },
		"hop":              func(p *policies.Payment) { p.Hops = []policies.Hop{"entry"} },
		"otherwise":        func(p *policies.Payment) { p.Otherwise = "" },
		"risk":             func(p *policies.Payment) { p.Risk = 0 },
	} {
		p := policies.DefaultPayment()
		spoil(&p)
		if err := p.Validate(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
