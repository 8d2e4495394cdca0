package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
)

// resume takes up the pay streams of an earlier process on the circuits that tor
// still has.
func (n *native) resume(ctx context.Context, live []paystream.PayerStatus) {
	byCircuit := make(map[string][]paystream.PayerStatus)
	for _, st := range live {
		byCircuit[st.Circuit] = append(byCircuit[st.Circuit], st)
	}
	for id, all := range byCircuit {
		if id == unbuilt {
			continue
		}
		err := n.resumeCircuit(ctx, id, all)
		if err == nil {
			continue
		}
		n.c.failed(fmt.Errorf("circuit %s: %w", id, err))
		for _, st := range all {
			if err := n.c.Payer.Close(ctx, st.Handle, paystream.ReasonCircuit); err != nil {
				n.c.failed(err)
			}
		}
	}
}

func (n *native) resumeCircuit(ctx context.Context, id string, all []paystream.PayerStatus) error {
	if id == asked {
		return errors.New("tops ended before tor had said whether it began it")
	}
	tc, err := n.c.circuits.Adopt(ctx, id)
	if err != nil {
		return err
	}
	p := &nativeCircuit{
		n: n, path: all[0].Path, controller: all[0].Controller, start: all[0].Start, tc: tc,
		changed: make(chan struct{}, 1), open: make(chan struct{}),
	}
	close(p.open)
	reached := tc.Path()
	if !slices.Equal(reached, p.path[:min(len(reached), len(p.path))]) {
		return fmt.Errorf("%w: its number is another circuit's now", tor.ErrCircuitGone)
	}
	for _, st := range all {
		terms, err := n.c.Terms(st.Handle)
		if err != nil {
			return err
		}
		h := &nativeHop{at: st.Hop, terms: terms, handle: st.Handle}
		h.link = eltor.NewLink(eltor.LinkConfig{Terms: terms, Handle: h.handle, Status: n.c.PayStream, Now: n.c.cfg.Now})
		h.link.Built(st.Start)
		p.hops = append(p.hops, h)
	}
	n.enter(p)
	if len(reached) < len(p.path) {
		n.c.failed(fmt.Errorf("circuit %s: it was not built when tops ended", id))
		p.leave(ctx, paystream.ReasonCircuit)
		return nil
	}
	for _, h := range p.hops {
		if err := n.c.Resume(h.handle, h.link); err != nil {
			return err
		}
	}
	return n.c.spawn(p.serve)
}
