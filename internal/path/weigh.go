package path

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// candidate is a relay that may be drawn.
type candidate struct {
	Relay
	weight float64
}

// grade says how well a relay suits by its flags: tor takes none that is not Fast, and
// none that is not Stable for a long connection, as long as there are others.
func (k candidate) grade(stable bool) int {
	grade := 0
	if k.Is("Fast") {
		grade += 2
	}
	if stable && k.Is("Stable") {
		grade++
	}
	return grade
}

// shares are the candidates' chances: those of the best grade share by weight. When
// none weighs anything, which is how a network begins, they share alike.
func shares(all []candidate, stable bool) []float64 {
	best, sum, n := 0, 0.0, 0
	for _, k := range all {
		switch grade := k.grade(stable); {
		case grade > best:
			best, sum, n = grade, k.weight, 1
		case grade == best:
			sum, n = sum+k.weight, n+1
		}
	}
	out := make([]float64, len(all))
	for i, k := range all {
		switch {
		case k.grade(stable) != best:
		case sum > 0:
			out[i] = k.weight / sum
		default:
			out[i] = 1 / float64(n)
		}
	}
	return out
}

// draw draws one of the candidates.
func (c *Chooser) draw(all []candidate, stable bool) (index int) {
	at := c.Random()
	for i, share := range shares(all, stable) {
		if share == 0 {
			continue
		}
		index = i // the last of them, should rounding leave some over
		if at -= share; at < 0 {
			break
		}
	}
	return index
}

// Shares is each exit's chance of being the next path's, by fingerprint. One that will
// not do has none.
func (c *Chooser) Shares() map[string]float64 {
	out := make(map[string]float64)
	exits := c.exits(&reasons{}, nil)
	for i, share := range shares(exits, false) {
		out[exits[i].Fingerprint] = share
	}
	return out
}

// exitWeight is what bandwidth gives an exit. A relay that nobody has measured yet is
// none that nobody may try.
func (c *Consensus) exitWeight(r Relay) float64 {
	r.Bandwidth = max(r.Bandwidth, 1)
	return c.weight(r, exitPosition)
}

// undercut bounds what a price is worth beside the usual one: who asks a fraction of it
// attracts so many times the traffic, and not all. Otherwise one msat a round would buy
// a view of everybody.
const undercut = 8

// cheapness is what a price is worth beside the usual one.
func (c *Chooser) cheapness(price, usual float64) float64 {
	if price <= 0 || usual <= 0 {
		return 1
	}
	return min(max(math.Pow(usual/price, c.Thrift), 1.0/undercut), undercut)
}

// medianPrice is the usual price, the lower of two in the middle; 0 if none is known.
func medianPrice(exits []Exit) float64 {
	var prices []float64
	for _, x := range exits {
		if x.Price > 0 {
			prices = append(prices, x.Price)
		}
	}
	if len(prices) == 0 {
		return 0
	}
	slices.Sort(prices)
	return prices[(len(prices)-1)/2]
}

// reasons are why relays will not do, and how many for each.
type reasons struct {
	order []string
	count map[string]int
}

// maxReasons is how many different ones an error names.
const maxReasons = 6

func (r *reasons) add(why string) {
	if r.count == nil {
		r.count = make(map[string]int)
	}
	if r.count[why]++; r.count[why] == 1 {
		r.order = append(r.order, why)
	}
}

func (r *reasons) String() string {
	if len(r.order) == 0 {
		return "none is known"
	}
	var out []string
	for _, why := range r.order[:min(len(r.order), maxReasons)] {
		out = append(out, fmt.Sprintf("%s: %d", why, r.count[why]))
	}
	return strings.Join(out, "; ")
}
