package client

import (
	"context"
	"errors"

	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// An opening fee is paid before its relay hears of the circuit. If that is not built,
// what the relay would have been told is kept with the pay stream, in the journal, and
// the next circuit through that relay brings it: the relay has the money and waits for
// it. What the relay has heard, or may have, it takes no second time.

// payload is what a relay is told: one whose opening fee is paid already, or a new one.
func (n *native) payload(controller string, t policies.Terms) eltor.Payload {
	p := eltor.NewPayload()
	if t.FeeMsat == 0 {
		return p
	}
	if k, ok := n.c.Take(t, controller); ok {
		p.Preimage, p.Hash = k.Preimage, k.Preimage.Hash()
		copy(p.RoundIDs, k.RoundIDs) // those beyond the terms' rounds mean nothing
	}
	return p
}

// abandon keeps what was paid for a circuit that tor was not asked for, or has refused.
func (p *nativeCircuit) abandon(err error) {
	for _, h := range p.hops {
		p.n.c.Keep(h.handle)
		h.link.Lost(err)
	}
}

// leaveUnbuilt keeps what was paid to relays that the circuit never reached, and ends
// the other pay streams.
func (p *nativeCircuit) leaveUnbuilt(ctx context.Context, why paystream.Reason) {
	for _, h := range p.hops {
		if !unheard(p.tc, h.at) || !p.n.c.Keep(h.handle) {
			p.n.end(ctx, h, why)
		}
		h.link.Lost(errLeft)
	}
}

// unheard reports whether hop number at of a circuit, which is 1 for the guard, cannot
// have heard of it: it ended before the hop ahead of that one was there. Of the hop
// behind the last one that was built nobody knows, unless nothing reached it.
func unheard(tc *tor.Circuit, at int) bool {
	end := new(tor.CircuitError)
	if !errors.As(tc.Err(), &end) {
		return false
	}
	reached := len(tc.Path())
	return at > reached+1 || at == reached+1 && (end.Reason == noConnection || end.RemoteReason == noConnection)
}

// noConnection is why a circuit ends whose next relay could not even be called.
const noConnection = "CONNECTFAILED"

// resumeUnbuilt keeps what an earlier process paid for circuits that it did not come to
// ask tor for.
func (n *native) resumeUnbuilt(ctx context.Context, live []paystream.PayerStatus) {
	for _, st := range live {
		if st.Circuit != unbuilt || n.c.Keep(st.Handle) {
			continue
		}
		if err := n.c.Payer.Close(ctx, st.Handle, paystream.ReasonCircuit); err != nil {
			n.c.failed(err)
		}
	}
}
