package client

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// paySides pays the relays between the guard and the exit, where the policy has it and
// they publish terms: on their word, since a stock tor can neither show nor stop what
// a middle relay does. It ends with ctx.
func (p *circuit) paySides(ctx context.Context) {
	for hop := 2; hop < len(p.path); hop++ {
		if p.self == nil && p.c.policy.Pays(hop, len(p.path)) {
			p.c.wg.Go(func() {
				if err := p.paySide(ctx, hop); err != nil && ctx.Err() == nil {
					p.c.failed(fmt.Errorf("hop %d of circuit %s is not paid: %w", hop, p.tor().ID, err))
				}
			})
		}
	}
}

// paySide pays one relay as long as the circuit goes on. Nothing that goes wrong here
// touches the circuit.
func (p *circuit) paySide(ctx context.Context, hop int) error {
	t, known, err := p.c.terms(ctx, p.path[hop-1])
	switch {
	case errors.Is(err, policies.ErrNoTerms), errors.Is(err, tor.ErrNoDescriptor), err == nil && !known:
		return nil // it asks for nothing
	case err != nil:
		return err
	}
	if err := p.togetherWith(t); err != nil {
		return err
	}
	link := gateway.NewClient(func(ctx context.Context) (net.Conn, error) {
		return p.dialHop(ctx, hop, tor.Gateway{Fingerprint: t.Relay, Addr: t.Gateway})
	})
	link.Now = p.c.cfg.Now
	defer func() {
		<-ctx.Done() // the last round may still be to be paid
		link.Close()
	}()
	req := paystream.OpenRequest{Terms: t, Link: link, Path: p.path, Hop: hop, Controller: p.controller}
	for renewed := false; ; {
		if err := p.c.checkMoney(ctx, t, p.controller); err != nil {
			return err
		}
		req.Circuit = p.tor().ID
		h, err := p.c.Open(ctx, req)
		var changed *paystream.TermsChanged
		if errors.As(err, &changed) && !renewed { // its descriptor is of before
			if t, err = p.newSideTerms(t, changed.Terms); err != nil {
				return err
			}
			req.Terms, renewed = t, true
			continue
		}
		if err != nil {
			return err
		}
		renewed = false
		p.useSide(hop, h)
		st, err := p.c.PayStream(h)
		if err != nil || !p.awaitLast(ctx, st.Start, t) || !p.awaitNeed(ctx, st.Start, t) {
			return err
		}
		req.Continues = &h
	}
}

// togetherWith refuses terms of a middle relay that are too dear beside the exit's.
func (p *circuit) togetherWith(t policies.Terms) error {
	if err := p.c.policy.Check(p.terms, t); err != nil {
		return &paystream.Refusal{Reason: paystream.ReasonPolicy, Err: err}
	}
	return nil
}

// newSideTerms accepts the terms that a middle relay has by now, within the policy.
func (p *circuit) newSideTerms(old, t policies.Terms) (policies.Terms, error) {
	if t.Relay != old.Relay {
		return t, unusable(fmt.Errorf("the gateway offers the terms of another relay, %s", t.Relay))
	}
	if err := checkGateway(t, old.Gateway.Addr()); err != nil {
		return t, err
	}
	return t, p.togetherWith(t)
}

// useSide makes h the pay stream of a hop before the last.
func (p *circuit) useSide(hop int, h paystream.Handle) {
	p.mu.Lock()
	old := p.sides[hop]
	p.sides[hop] = h
	p.mu.Unlock()
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	delete(p.c.byPay, old)
	p.c.byPay[h] = p
}
