package client

import (
	"errors"
	"slices"
	"time"

	"github.com/el-tor/tops/internal/tor"
)

// shunFor is how long a relay is left alone that may ask for money by now.
const shunFor = 10 * time.Minute

// shun leaves alone, for a while, the relays of a circuit that asked for nothing: a
// relay has ended it, and it was not one of those that are paid, unless that one is at
// fault. What a descriptor says can be hours old.
func (n *native) shun(p *nativeCircuit) {
	if ended := new(tor.CircuitError); !errors.As(p.tc.Err(), &ended) || ended.Reason != "DESTROYED" {
		return
	}
	paid := make(map[string]bool)
	for _, h := range p.hops {
		paid[h.terms.Relay] = true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, fp := range p.path {
		if !paid[fp] {
			n.shunned[fp] = n.c.cfg.Now().Add(shunFor)
		}
	}
}

// isShunned reports whether a relay is left alone.
func (n *native) isShunned(fingerprint string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.c.cfg.Now().Before(n.shunned[fingerprint])
}

// liked leaves out the relays that are shunned, if that leaves any.
func (n *native) liked(relays []string) []string {
	if list := slices.DeleteFunc(slices.Clone(relays), n.isShunned); len(list) > 0 {
		return list
	}
	return relays
}
