package policies

// Schedule is the price of each round of a pay stream. Rounds count from 1.
type Schedule struct {
	rateMsat, finalMsat int64
	rounds, free        int
}

// Rounds is how many rounds the pay stream has.
func (s Schedule) Rounds() int { return s.rounds }

// FirstPriced is the first round that costs anything.
func (s Schedule) FirstPriced() int { return s.free + 1 }

// PriceMsat is the price of round r: 0 for the free ones and for what is no
// round of this pay stream, the premium for the last, the rate for the others.
func (s Schedule) PriceMsat(r int) int64 {
	switch {
	case r <= s.free || r > s.rounds:
		return 0
	case r == s.rounds:
		return s.finalMsat
	default:
		return s.rateMsat
	}
}

// ThroughMsat is the price of rounds 1 to r together.
func (s Schedule) ThroughMsat(r int) int64 {
	r = min(r, s.rounds)
	if r <= s.free {
		return 0
	}
	total := int64(r-s.free) * s.rateMsat
	if r == s.rounds {
		total += s.finalMsat - s.rateMsat
	}
	return total
}

// TotalMsat is the price of the whole pay stream.
func (s Schedule) TotalMsat() int64 { return s.ThroughMsat(s.rounds) }

// PaidThrough is the last round that a balance covers once the opening fee is
// taken from it. The free rounds are covered by nothing, so it is never below
// their number; it is 0 only when the fee itself is not covered.
func (s Schedule) PaidThrough(balanceMsat, feeMsat int64) int {
	left := balanceMsat - feeMsat
	if left < 0 {
		return 0
	}
	if left >= s.TotalMsat() {
		return s.rounds
	}
	// All priced rounds but the last cost the same.
	return min(s.free+int(left/s.rateMsat), s.rounds-1)
}

// PricedThrough is how many of the rounds up to r cost something.
func (s Schedule) PricedThrough(r int) int { return max(0, min(r, s.rounds)-s.free) }
