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
	*tor.Circuit
	c          *Client
	path       []string
	terms      policies.Terms
	link       *gateway.Client
	controller string
	ready      chan struct{} // closed when the first pay stream is open, or will not be
	heard      chan struct{} // its pay stream has changed

	bytes atomic.Int64

	mu      sync.Mutex // guards what follows
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
	p, err := c.extend(ctx, controller, path)
	if err != nil {
		return "", err
	}
	return p.ID, nil
}

func (c *Client) extend(ctx context.Context, controller string, path []string) (*circuit, error) {
	if len(path) < 2 {
		return nil, fmt.Errorf("a paid circuit has two hops or more: no stream reaches a gateway on the first")
	}
	terms, known, err := c.terms(ctx, path[len(path)-1])
	if err != nil {
		return nil, err
	}
	tc, err := c.circuits.Extend(ctx, path)
	if err != nil {
		return nil, err
	}
	p := c.follow(tc, path, terms, controller)
	c.wg.Go(func() { p.live(c.runContext(), known) })
	return p, nil
}

// follow makes a circuit of ours of one of tor's.
func (c *Client) follow(tc *tor.Circuit, path []string, terms policies.Terms, controller string) *circuit {
	p := &circuit{
		Circuit: tc, c: c, path: path, terms: terms, controller: controller,
		ready: make(chan struct{}), heard: make(chan struct{}, 1),
		tunnels: make(map[*tunnel]struct{}),
	}
	p.link = gateway.NewClient(p.dial)
	p.link.Now = c.cfg.Now
	c.mu.Lock()
	c.paid[p.ID] = p
	c.mu.Unlock()
	return p
}

// dial connects to the gateway through the circuit.
func (p *circuit) dial(ctx context.Context) (net.Conn, error) {
	return p.c.attacher.DialGateway(ctx,
		tor.Gateway{Fingerprint: p.terms.Relay, Addr: p.terms.Gateway},
		tor.Target{Circuit: p.ID, Hop: len(p.path)})
}

// live is the life of a circuit of ours: from being built to its end.
func (p *circuit) live(ctx context.Context, known bool) {
	err := p.open(ctx, known)
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
	close(p.ready)
	if err != nil {
		p.c.failed(fmt.Errorf("circuit %s: %w", p.ID, err))
		p.leave(context.WithoutCancel(ctx), paystream.ReasonRelay)
		return
	}
	p.serve(ctx)
}

// open waits until the circuit is built and opens the first pay stream. Terms
// that have changed meanwhile are tried once, if the policy has nothing against
// them.
func (p *circuit) open(ctx context.Context, known bool) error {
	select {
	case <-p.Built():
	case <-p.Done():
		return p.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
	if !known {
		if err := p.askTerms(ctx); err != nil {
			return err
		}
	}
	h, err := p.c.Open(ctx, p.request())
	var changed *paystream.TermsChanged
	if errors.As(err, &changed) {
		if err = p.take(changed.Terms); err == nil {
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
	return paystream.OpenRequest{
		Terms: p.terms, Link: p.link, Circuit: p.ID, Path: p.path, Hop: len(p.path), Controller: p.controller,
	}
}

// askTerms reads the terms from the gateway itself.
func (p *circuit) askTerms(ctx context.Context) error {
	t, err := p.link.Terms(ctx)
	if err != nil {
		return fmt.Errorf("ask the gateway for its terms: %w", err)
	}
	return p.take(t)
}

// take accepts new terms of the same relay at the same place, within the policy.
func (p *circuit) take(t policies.Terms) error {
	if t.Relay != p.terms.Relay {
		return fmt.Errorf("the gateway offers the terms of another relay, %s", t.Relay)
	}
	if err := p.c.checkTerms(t, p.terms.Gateway.Addr()); err != nil {
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

// lookEvery is how often the pace of a circuit is looked at.
const lookEvery = 100 * time.Millisecond

// serve keeps the circuit until it ends, its pay stream ends, or nothing more is
// paid on it.
func (p *circuit) serve(ctx context.Context) {
	keep, stop := context.WithCancel(ctx)
	defer stop()
	p.keep(keep)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	next := p.continued(keep)
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.Done():
			p.c.failed(p.Err())
			p.leave(context.WithoutCancel(ctx), paystream.ReasonCircuit)
			return
		case <-look.C:
			p.look()
		case h := <-next:
			p.goOn(h)
			p.keep(keep)
			next = p.continued(keep)
		case <-p.heard:
			if len(next) == 0 && p.over() {
				p.leave(context.WithoutCancel(ctx), "")
				return
			}
		}
	}
}

// keep holds one idle connection to the gateway: tor closes a circuit that has
// had no stream for ten minutes.
func (p *circuit) keep(ctx context.Context) {
	hash, err := p.c.Hash(p.current())
	if err != nil {
		return
	}
	p.c.wg.Go(func() { _ = p.link.Keep(ctx, hash) })
}

// continued opens the pay stream that goes on from the present one, and sends its
// handle when the relay has accepted it.
func (p *circuit) continued(ctx context.Context) <-chan paystream.Handle {
	next := make(chan paystream.Handle, 1)
	if !p.c.cfg.Client.Continue {
		return next
	}
	old := p.current()
	st, err := p.c.PayStream(old)
	if err != nil {
		return next
	}
	last := st.Start.Add(p.terms.Due(p.terms.Rounds - 1))
	p.c.wg.Go(func() {
		select {
		case <-time.After(last.Sub(p.c.cfg.Now())):
		case <-ctx.Done():
			return
		}
		req := p.request()
		req.Continues = &old
		h, err := p.c.Open(ctx, req)
		if err == nil {
			next <- h
		} else if ctx.Err() == nil {
			p.c.failed(fmt.Errorf("continue pay stream %s: %w", old, err))
		}
	})
	return next
}

// goOn makes a continuation the present pay stream.
func (p *circuit) goOn(h paystream.Handle) {
	begins := p.c.cfg.Now()
	if st, err := p.c.PayStream(h); err == nil {
		begins = st.Start
	}
	p.use(h, begins)
}

func (p *circuit) current() paystream.Handle {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pay.handle
}

// over reports whether the circuit is of no use any more: its pay stream is over,
// or was not worth its price. One that is not paid for another reason is served
// until the relay cuts it, but gets nothing new.
func (p *circuit) over() bool {
	st, err := p.c.PayStream(p.current())
	if err != nil {
		return true
	}
	switch st.Status {
	case paystream.StatusClosed, paystream.StatusCompleted, paystream.StatusRefused:
		return true
	}
	if st.Reason != "" {
		p.mu.Lock()
		p.retired = true
		p.mu.Unlock()
	}
	return st.Reason == paystream.ReasonQuality
}

// hear is told of each event of the circuit's pay streams. It returns at once.
func (p *circuit) hear(e paystream.Event) {
	if e.Reason != "" || e.Status == paystream.StatusClosed || e.Status == paystream.StatusCompleted {
		select {
		case p.heard <- struct{}{}:
		default:
		}
	}
}

// leave ends the pay stream, for a reason unless it has one already, and the
// circuit with every connection on it.
func (p *circuit) leave(ctx context.Context, why paystream.Reason) {
	p.mu.Lock()
	if p.left {
		p.mu.Unlock()
		return
	}
	p.left = true
	pay := p.pay.handle
	tunnels := p.tunnels
	p.tunnels = make(map[*tunnel]struct{})
	p.mu.Unlock()

	p.c.mu.Lock()
	delete(p.c.paid, p.ID)
	p.c.mu.Unlock()
	if pay != "" {
		if st, err := p.c.PayStream(pay); err == nil && st.Reason != "" {
			why = st.Reason
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if err := p.c.Close(ctx, pay, why); err != nil && !errors.Is(err, paystream.ErrNoPayStream) {
			p.c.failed(err)
		}
	}
	for t := range tunnels {
		t.Close()
	}
	_ = p.link.Close()
	if err := p.Circuit.Close(ctx); err != nil && !errors.Is(err, tor.ErrNotConnected) {
		p.c.failed(fmt.Errorf("close circuit %s: %w", p.ID, err))
	}
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
