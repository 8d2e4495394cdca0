package paystream

import (
	"math"
	"time"

	"github.com/el-tor/tops/policies"
)

// routing is what routing to a payee is expected to cost.
type routing struct {
	msat int64
	seen bool      // a payment cost that; else one was not allowed as much
	at   time.Time // when that was learnt
}

// tooDearFor is for how long a payee stays out of reach once no permitted payment got
// there: channels come and go.
const tooDearFor = time.Hour

// routingLocked is the expected cost of routing to a payee, msat; 0 if nothing is
// known, so that the smallest payment is tried first.
func (p *Payer) routingLocked(d policies.Descriptor) int64 {
	r := p.routing[d]
	if !r.seen && p.cfg.Now().Sub(r.at) > tooDearFor {
		return 0
	}
	return r.msat
}

// paidRoutingLocked learns what routing cost.
func (p *Payer) paidRoutingLocked(d policies.Descriptor, msat int64) {
	p.routing[d] = routing{msat, true, p.cfg.Now()}
}

// dearerLocked learns that routing a payment, from round r on, cost more than it was
// allowed. Another try takes half a minute, since nothing else is paid for a round
// before it is certain that the first payment is dead; so the guess is bold: a sat, or
// twice as much, or else all that the policy permits. What it really costs is known
// once it has worked, and then the fewest rounds are paid at once that it takes.
func (p *Payer) dearerLocked(t policies.Terms, r int, allowedMsat int64) {
	policy, expect := p.cfg.Policy, max(1000, 2*allowedMsat, p.routingLocked(t.Descriptor))
	if _, err := policy.Prepay(t, r, func(int64) int64 { return expect }); err != nil {
		var most int64 // that may be allowed
		_, _ = policy.Prepay(t, r, func(amountMsat int64) int64 {
			most = max(most, policy.RoutingCapMsat(amountMsat))
			return math.MaxInt64
		})
		expect = max(allowedMsat+1, most)
	}
	p.routing[t.Descriptor] = routing{expect, false, p.cfg.Now()}
}

// tooDearLocked says why no permitted payment reaches the payee of t, as far as
// anybody knows.
func (p *Payer) tooDearLocked(t policies.Terms) error {
	expect := p.routingLocked(t.Descriptor)
	if expect == 0 {
		return nil
	}
	_, err := p.cfg.Policy.Prepay(t, t.Schedule().FirstPriced(), func(int64) int64 { return expect })
	return err
}

// otherPayingLocked reports whether the node is being asked to pay for another hop of
// the same circuit. Payments of one circuit never go out together: whoever sees both
// could guess that they belong to one.
func (p *Payer) otherPayingLocked(s *payerStream) bool {
	for _, other := range p.streams {
		if other != s && other.circuit == s.circuit && other.payment != nil && other.payment.asked {
			return true
		}
	}
	return false
}

// apartLocked is how long a payment steps aside for another hop's: at random, and
// short enough to be in time.
func (p *Payer) apartLocked(s *payerStream) time.Duration {
	most := min(3*time.Second, s.lead()/2)
	return time.Duration((0.25 + 0.75*p.cfg.Random()) * float64(most))
}
