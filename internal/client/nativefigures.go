package client

import "github.com/el-tor/tops/policies"

// PaidHop is a relay of a paid circuit.
type PaidHop struct {
	Hop   int // 1 is the guard
	Terms policies.Terms
}

// PaidHops lists the relays of a paid circuit that are paid, whatever carries it;
// none while the terms may still change.
func (c *Client) PaidHops(id string) (hops []PaidHop) {
	if c.native == nil {
		if hop, terms, _, ok := c.PaidCircuit(id); ok {
			hops = append(hops, PaidHop{hop, terms})
		}
		return hops
	}
	if p := c.native.get(id); p != nil {
		for _, h := range p.hops {
			hops = append(hops, PaidHop{h.at, h.terms})
		}
	}
	return hops
}

// figures are the circuits as their user sees them. The pay stream is the exit's,
// or that of the last relay that is paid.
func (n *native) figures() (out []CircuitStatus) {
	for _, p := range n.list() {
		read, written := p.tc.Delivered()
		st := CircuitStatus{ID: p.tc.ID, Path: p.path, Bytes: read + written}
		for _, h := range p.hops {
			st.RateMsat += h.terms.RateMsat
			st.Interval, st.PayStream = h.terms.Interval, h.handle
		}
		out = append(out, st)
	}
	return out
}
