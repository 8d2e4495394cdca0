package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// open opens the first pay stream. Terms that have changed meanwhile are tried once,
// if the policy has nothing against them.
func (p *circuit) open(ctx context.Context, known bool) error {
	var err error
	switch {
	case !known:
		err = p.askTerms(ctx)
	case p.pooled: // it was built a while ago
		err = p.c.checkMoney(ctx, p.terms, p.controller)
	}
	if err != nil {
		return err
	}
	h, err := p.c.Open(ctx, p.request())
	var changed *paystream.TermsChanged
	if errors.As(err, &changed) && p.self == nil { // a controller begins anew, with other hashes
		if err = p.take(ctx, changed.Terms); err == nil {
			h, err = p.c.Open(ctx, p.request())
		}
	}
	if err != nil {
		return err
	}
	p.use(h, p.c.cfg.Now())
	return nil
}

func (p *circuit) request() paystream.OpenRequest {
	req := paystream.OpenRequest{
		Terms: p.terms, Link: p.link, Circuit: p.tor().ID, Path: p.path, Hop: len(p.path), Controller: p.controller,
	}
	if p.self != nil {
		req.NoPay, req.Preimage, req.RoundIDs = true, &p.self.Preimage, p.self.RoundIDs
	}
	return req
}

// askTerms reads the terms from the gateway itself.
func (p *circuit) askTerms(ctx context.Context) error {
	t, err := p.link.Terms(ctx)
	if err != nil {
		return fmt.Errorf("ask the gateway for its terms: %w", err)
	}
	return p.take(ctx, t)
}

// take accepts new terms of the same relay at the same place, within the policy
// and the budget.
func (p *circuit) take(ctx context.Context, t policies.Terms) error {
	if t.Relay != p.terms.Relay {
		return unusable(fmt.Errorf("the gateway offers the terms of another relay, %s", t.Relay))
	}
	if err := checkGateway(t, p.terms.Gateway.Addr()); err != nil {
		return err
	}
	if err := p.c.acceptable(ctx, t, p.controller, p.self); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.terms = t
	return nil
}

// use makes h the pay stream that new connections belong to.
func (p *circuit) use(h paystream.Handle, begins time.Time) {
	p.c.mu.Lock()
	p.c.byPay[h] = p
	p.c.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.before.handle
	p.before, p.pay = p.pay, counted{h, begins, p.bytes.Load()}
	if old != "" {
		p.c.mu.Lock()
		delete(p.c.byPay, old)
		p.c.mu.Unlock()
	}
}
