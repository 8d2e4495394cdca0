package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// circuit is a paid circuit: tor's, the way to its gateway, and the pay stream
// that runs on it, one after the other.
type circuit struct {
	c          *Client
	path       []string
	terms      policies.Terms
	link       *gateway.Client
	controller string
	self       *SelfPaid     // the controller pays; nil: we do
	exit       bool          // the last relay is an exit for everybody, too
	ready      chan struct{} // closed when the first pay stream is open, or will not be
	heard      chan struct{} // its pay stream has changed

	bytes atomic.Int64

	mu      sync.Mutex // guards what follows
	tc      *tor.Circuit
	pay     counted
	before  counted // the pay stream that pay continues
	left    bool
	retired bool // not paid any more: nothing new goes through it
	err     error
	tunnels map[*tunnel]struct{}
	quality quality
}

// counted is a pay stream and the bytes that count to it.
type counted struct {
	handle paystream.Handle
	begins time.Time
	from   int64 // what the circuit had tunnelled by then
}

// ExtendPaidCircuit builds a circuit along path and opens a pay stream with its
// exit, on the account of controller. It returns tor's id for the circuit as soon
// as there is one: the terms have passed the policy by then. What goes wrong later
// is a REFUSED event, and the end of the circuit.
func (c *Client) ExtendPaidCircuit(ctx context.Context, controller string, path []string) (id string, err error) {
	p, err := c.extend(ctx, controller, path, nil)
	if err != nil {
		return "", err
	}
	return p.tor().ID, nil
}

// extend begins a circuit. self is what a controller brings that pays itself.
func (c *Client) extend(ctx context.Context, controller string, path []string, self *SelfPaid) (*circuit, error) {
	if len(path) < 2 {
		return nil, fmt.Errorf("a paid circuit has two hops or more: no stream reaches a gateway on the first")
	}
	terms, known, err := c.publishedTerms(ctx, path[len(path)-1])
	if err == nil && known {
		err = c.acceptable(ctx, terms, controller, self)
	}
	if err != nil {
		return nil, err
	}
	if c.cfg.Able != nil && self == nil {
		if err := c.cfg.Able(); err != nil {
			return nil, &paystream.Refusal{Reason: paystream.ReasonWallet, Err: err}
		}
	}
	exit, err := c.exitFlag(ctx, terms.Relay)
	if err != nil {
		return nil, err
	}
	tc, err := c.circuits.Extend(ctx, path)
	if err != nil {
		return nil, err
	}
	p := c.follow(tc, path, terms, exit, controller, self)
	if err := c.spawn(func(run context.Context) { p.live(run, known) }); err != nil {
		p.leave(context.WithoutCancel(ctx), paystream.ReasonClient)
		return nil, err
	}
	return p, nil
}

// follow makes a circuit of ours of one of tor's.
func (c *Client) follow(tc *tor.Circuit, path []string, terms policies.Terms, exit bool, controller string, self *SelfPaid) *circuit {
	p := &circuit{
		tc: tc, c: c, path: path, terms: terms, exit: exit, controller: controller, self: self,
		ready: make(chan struct{}), heard: make(chan struct{}, 1),
		tunnels: make(map[*tunnel]struct{}),
	}
	p.link = gateway.NewClient(p.dial)
	p.link.Now = c.cfg.Now
	c.mu.Lock()
	c.paid[tc.ID] = p
	c.mu.Unlock()
	return p
}

// dial connects to the gateway through the circuit.
func (p *circuit) dial(ctx context.Context) (net.Conn, error) {
	if err := p.tor().Err(); err != nil {
		return nil, err
	}
	return p.c.attacher.DialGateway(ctx,
		tor.Gateway{Fingerprint: p.terms.Relay, Addr: p.terms.Gateway},
		tor.Target{Circuit: p.tor().ID, Hop: len(p.path)})
}

// tor is the circuit as tor has it now.
func (p *circuit) tor() *tor.Circuit {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tc
}

// live is the life of a circuit of ours: from being built to its end.
func (p *circuit) live(ctx context.Context, known bool) {
	err := p.open(ctx, known)
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
	close(p.ready)
	if err != nil {
		if !requested(err) {
			p.c.failed(fmt.Errorf("circuit %s: %w", p.tor().ID, err))
		}
		p.leave(context.WithoutCancel(ctx), paystream.ReasonRelay)
		return
	}
	p.serve(ctx)
}

// open waits until the circuit is built and opens the first pay stream. Terms
// that have changed meanwhile are tried once, if the policy has nothing against
// them.
func (p *circuit) open(ctx context.Context, known bool) error {
	if err := built(ctx, p.tor()); err != nil {
		return err
	}
	if !known {
		if err := p.askTerms(ctx); err != nil {
			return err
		}
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

// built waits until a circuit can be used.
func built(ctx context.Context, tc *tor.Circuit) error {
	select {
	case <-tc.Built():
		return nil
	case <-tc.Done():
		return tc.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
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
	p.before, p.pay = p.pay, counted{h, begins, p.bytes.Load()}
}

// count adds tunnelled bytes.
func (p *circuit) count(n int) { p.bytes.Add(int64(n)) }

// look takes a sample, and tells the engine how much of the allowance is used.
func (p *circuit) look() {
	now, bytes := time.Now(), p.bytes.Load()
	p.mu.Lock()
	waiting := false
	for t := range p.tunnels {
		waiting = waiting || t.waiting(now)
	}
	p.quality.note(p.c.cfg.Now(), bytes, waiting, 2*p.terms.Interval)
	pay := p.pay
	if pay.handle != "" && p.c.cfg.Now().Before(pay.begins) {
		p.pay.from = bytes // still counts to the pay stream before
		pay = p.before
	}
	p.mu.Unlock()
	p.c.NoteBytes(pay.handle, bytes-pay.from)
}

func (p *circuit) judge(since time.Time) (bytes int64, waited time.Duration) {
	p.look()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.quality.since(since)
}

func (p *circuit) anySilent() bool {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for t := range p.tunnels {
		if t.silent(now) {
			return true
		}
	}
	return false
}

func (p *circuit) dropTunnel(t *tunnel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.tunnels, t)
}
