package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// prepare reads the terms of every hop, draws what they are told, and holds it all
// to the policy and the budget.
func (n *native) prepare(ctx context.Context, controller string, path []string) (*nativeCircuit, []eltor.Hop, error) {
	p := &nativeCircuit{
		n: n, path: path, controller: controller,
		changed: make(chan struct{}, 1), open: make(chan struct{}),
	}
	var all []policies.Terms
	for i, fp := range path {
		t, paid, err := n.terms(ctx, fp)
		if err != nil {
			return nil, nil, err
		}
		if paid {
			all = append(all, t)
			p.hops = append(p.hops, &nativeHop{at: i + 1, terms: t})
		}
	}
	if err := n.c.policy.Check(all...); err != nil {
		return nil, nil, &paystream.Refusal{Reason: paystream.ReasonPolicy, Err: err}
	}
	if err := n.affordable(ctx, controller, all); err != nil {
		return nil, nil, err
	}
	var wire []eltor.Hop
	for _, fp := range path {
		wire = append(wire, eltor.Hop{Fingerprint: fp, Payload: eltor.NewPayload()})
	}
	for _, h := range p.hops {
		h.payload = n.payload(controller, h.terms)
		h.handle = h.payload.Hash.Handle()
		h.link = eltor.NewLink(eltor.LinkConfig{Terms: h.terms, Handle: h.handle, Status: n.c.PayStream, Now: n.c.cfg.Now})
		wire[h.at-1].Payload = h.payload
	}
	return p, wire, nil
}

// extend makes a circuit along path on the account of controller, and returns when
// tor has given it an id. Opening fees are paid before.
func (n *native) extend(ctx context.Context, controller string, path []string) (*nativeCircuit, error) {
	p, wire, err := n.prepare(ctx, controller, path)
	if err != nil {
		return nil, err
	}
	opened := make(chan error, len(p.hops)) // what becomes of each pay stream
	run, stop := context.WithCancel(n.c.ctx)
	if err := p.request(ctx, run, wire, opened); err != nil {
		p.abandon(err)
		stop()
		return nil, err
	}
	n.enter(p)
	if err := p.move(ctx, p.tc.ID); err != nil {
		n.c.failed(err) // after a restart it is as if tor had not answered
	}
	if err := n.c.spawn(func(ctx context.Context) { defer stop(); p.live(ctx, opened) }); err != nil {
		stop()
		p.leave(context.WithoutCancel(ctx), paystream.ReasonClient)
		return nil, err
	}
	return p, nil
}

// request opens the pay streams and, when the opening fees are paid, has tor begin the
// circuit.
func (p *nativeCircuit) request(ctx, run context.Context, wire []eltor.Hop, opened chan error) error {
	for _, h := range p.hops {
		if err := p.n.c.spawn(func(context.Context) { opened <- p.n.openHop(run, p, h) }); err != nil {
			return err
		}
	}
	err := p.awaitFees(ctx, opened)
	if err != nil {
		return err
	}
	p.tc, err = p.n.builder.Build(ctx, wire, p.asking)
	if errors.Is(err, eltor.ErrMayBeBuilt) {
		for _, h := range p.hops {
			p.n.end(context.WithoutCancel(ctx), h, paystream.ReasonCircuit)
		}
	}
	return err
}

// What stands for a circuit's id as long as tor has given it none.
const (
	unbuilt = ""  // tor was not asked: no relay has heard of it
	asked   = "0" // it was, or is about to be: some may have
)

// asking is the moment before tor, and then relays, hear of the circuit: from here on
// its pay streams are not kept if this process is killed.
func (p *nativeCircuit) asking(ctx context.Context) error {
	p.start = p.n.c.cfg.Now()
	return p.move(ctx, asked)
}

// move makes durable which circuit the pay streams are on.
func (p *nativeCircuit) move(ctx context.Context, circuit string) error {
	for _, h := range p.hops {
		if err := p.n.c.Move(h.handle, circuit); err != nil {
			return err
		}
		if err := p.n.c.Save(ctx, h.handle); err != nil {
			return err
		}
	}
	return nil
}

// openHop opens the pay stream of one hop.
func (n *native) openHop(ctx context.Context, p *nativeCircuit, h *nativeHop) error {
	_, err := n.c.Open(ctx, paystream.OpenRequest{
		Terms: h.terms, Link: h.link, Circuit: unbuilt, Path: p.path, Hop: h.at, Controller: p.controller,
		Preimage: &h.payload.Preimage, RoundIDs: h.payload.Intent(h.terms).RoundIDs, Keep: true,
	})
	if err != nil {
		return fmt.Errorf("hop %d: %w", h.at, err)
	}
	return nil
}

// awaitFees waits until every opening fee is paid.
func (p *nativeCircuit) awaitFees(ctx context.Context, opened <-chan error) error {
	for _, h := range p.hops {
		select {
		case <-h.link.Ready():
		case err := <-opened:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
