package policies

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Hop is a relay's place in a circuit.
type Hop string

// The places in a circuit. Only the exit's service is enforced on a stock tor;
// a middle relay is paid on its word, and a guard can be paid only where every
// hop hears of it, as in El Tor's network.
const (
	Guard  Hop = "guard"
	Middle Hop = "middle"
	Exit   Hop = "exit"
)

// Otherwise says what happens to traffic for which nothing payable is found.
type Otherwise string

// What to do when the policy allows no paid circuit.
const (
	Refuse Otherwise = "refuse" // do without
	Free   Otherwise = "free"   // use an ordinary circuit, unpaid
)

// Payment is what a payer is willing to give: its payment policy. The zero
// value pays nobody; start from [DefaultPayment].
type Payment struct {
	MaxRoundMsat   int64 // the most that one round of one relay may cost
	MaxCircuitMsat int64 // the most that a circuit's pay streams may cost together, opening fees included

	// What routing may cost. Both hold: a share of the amount, in per cent, and
	// an amount, in msat, which is no limit if it is 0.
	MaxRoutingPercent float64
	MaxRoutingMsat    int64

	Hops       []Hop // which hops to pay
	MinGoodput int64 // bytes a second below which a round is not worth its price

	MaxFirstByte time.Duration // a first byte that comes later is bad service; 0: no limit
	SlowestShare float64       // of this client's usual pace; slower than that is bad service, 0: no limit

	Otherwise Otherwise // nothing payable found: refuse or go free
	Risk      int       // rounds that may be paid in one payment, and so be lost at once
}

// DefaultPayment pays the exits of relays that ask what the specification
// asks, and prepays a whole pay stream of it where routing fees need that.
func DefaultPayment() Payment {
	return Payment{
		MaxRoundMsat: 2000, MaxCircuitMsat: 20_000,
		MaxRoutingPercent: 10, MaxRoutingMsat: 0,
		Hops: []Hop{Exit}, MinGoodput: 16 << 10, MaxFirstByte: 20 * time.Second, SlowestShare: 0.1,
		Otherwise: Refuse, Risk: 10,
	}
}

// Validate checks a policy that somebody wrote.
func (p Payment) Validate() error {
	for _, v := range []struct {
		name string
		msat int64
	}{{"max round", p.MaxRoundMsat}, {"max circuit", p.MaxCircuitMsat}, {"max routing", p.MaxRoutingMsat}, {"min goodput", p.MinGoodput}} {
		if v.msat < 0 {
			return fmt.Errorf("%s %d is negative", v.name, v.msat)
		}
	}
	// The negation catches NaN as well.
	if !(p.MaxRoutingPercent >= 0 && p.MaxRoutingPercent <= 1000) {
		return fmt.Errorf("max routing %v per cent is outside 0 to 1000", p.MaxRoutingPercent)
	}
	if p.MaxFirstByte < 0 {
		return fmt.Errorf("max first byte %s is negative", p.MaxFirstByte)
	}
	if !(p.SlowestShare >= 0 && p.SlowestShare < 1) {
		return fmt.Errorf("slowest share %v is outside 0 to 1", p.SlowestShare)
	}
	for _, h := range p.Hops {
		if h != Guard && h != Middle && h != Exit {
			return fmt.Errorf("%q is no hop: use %q, %q or %q", h, Exit, Middle, Guard)
		}
	}
	if p.Otherwise != Refuse && p.Otherwise != Free {
		return fmt.Errorf("%q is not what one can do otherwise: use %q or %q", p.Otherwise, Refuse, Free)
	}
	if p.Risk < 1 {
		return fmt.Errorf("a risk of %d rounds pays nothing: use 1 or more", p.Risk)
	}
	return nil
}

// Pays reports whether the policy pays hop number hop, counted from 1, of a
// circuit of so many.
func (p Payment) Pays(hop, of int) bool {
	switch {
	case hop < 1 || hop > of:
		return false
	case hop == of:
		return slices.Contains(p.Hops, Exit)
	case hop == 1:
		return slices.Contains(p.Hops, Guard)
	default:
		return slices.Contains(p.Hops, Middle)
	}
}

// OverCap is the error of terms that cost more than the policy allows.
type OverCap struct {
	Cap       string // "round" or "circuit"
	LimitMsat int64
	AskedMsat int64
	Relay     string // which relay asks it; empty for a whole circuit
}

func (e *OverCap) Error() string {
	who := "this circuit"
	if e.Relay != "" {
		who = "relay " + e.Relay
	}
	return fmt.Sprintf("%s asks %d msat, above the policy's cap of %d msat per %s", who, e.AskedMsat, e.LimitMsat, e.Cap)
}

// Reason is the REASON of a PAYSTREAM event for this error.
func (*OverCap) Reason() string { return "POLICY" }

// Check holds the terms of a circuit's paid hops, one or more, against the
// caps. The error is an *OverCap.
func (p Payment) Check(hops ...Terms) error {
	var all int64
	for _, t := range hops {
		if dearest := max(t.RateMsat, t.FinalMsat); dearest > p.MaxRoundMsat {
			return &OverCap{"round", p.MaxRoundMsat, dearest, t.Relay}
		}
		all += t.FeeMsat + t.Schedule().TotalMsat()
	}
	if all > p.MaxCircuitMsat {
		return &OverCap{"circuit", p.MaxCircuitMsat, all, ""}
	}
	return nil
}

// RoutingCapMsat is the most that routing may cost for a payment of amountMsat.
func (p Payment) RoutingCapMsat(amountMsat int64) int64 {
	share := math.Floor(float64(amountMsat) * p.MaxRoutingPercent / 100)
	limit := int64(min(share, maxMsat))
	if p.MaxRoutingMsat > 0 {
		limit = min(limit, p.MaxRoutingMsat)
	}
	return limit
}

// FeeTooHigh is the error of a relay that no permitted payment reaches within
// the cap on routing fees. The figures are those of the largest payment.
type FeeTooHigh struct {
	Rounds     int
	AmountMsat int64
	FeeMsat    int64
	CapMsat    int64
}

func (e *FeeTooHigh) Error() string {
	return fmt.Sprintf("routing %d msat, %d rounds at once, would cost %d msat, above the policy's cap of %d msat",
		e.AmountMsat, e.Rounds, e.FeeMsat, e.CapMsat)
}

// Reason is the REASON of a PAYSTREAM event for this error.
func (*FeeTooHigh) Reason() string { return "FEE" }

// Prepay says how many rounds, from round on, to pay at once: the fewest whose
// routing fee meets the cap, since what is prepaid may be lost. The relay
// (topsprepay), the rounds that are left and the policy's risk limit it.
// feeMsat estimates what routing an amount costs. The error is a *FeeTooHigh.
func (p Payment) Prepay(t Terms, round int, feeMsat func(amountMsat int64) int64) (rounds int, err error) {
	s := t.Schedule()
	round = max(round, s.FirstPriced())
	most := min(t.Prepay, p.Risk, t.Rounds-round+1)
	if most < 1 {
		return 0, fmt.Errorf("round %d of %d cannot be paid: %d may be paid at once", round, t.Rounds, min(t.Prepay, p.Risk))
	}
	var last FeeTooHigh
	for k := 1; k <= most; k++ {
		amount := s.ThroughMsat(round+k-1) - s.ThroughMsat(round-1)
		last = FeeTooHigh{k, amount, feeMsat(amount), p.RoutingCapMsat(amount)}
		if last.FeeMsat <= last.CapMsat {
			return k, nil
		}
	}
	return 0, &last
}
