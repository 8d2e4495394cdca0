package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// native is the payer's side of the carrier on El Tor's tor: every hop of a circuit
// is paid, and the relays hear of it in the handshake (package eltor). Streams need
// no gateway, so that tor attaches them by itself: what the pool, the flows and the
// tunnels do on a stock tor is tor's own affair here.
//
// A circuit brings its ids when it is made, and so lives as long as the shortest of
// its pay streams.
type native struct {
	c       *Client
	fork    eltor.Fork
	builder *eltor.Builder
	wanted  chan struct{} // an app waits for a circuit

	mu       sync.Mutex // guards what follows
	circuits map[string]*nativeCircuit
	byPay    map[paystream.Handle]*nativeCircuit
	guard    string               // that was drawn, since tor has none
	shunned  map[string]time.Time // relays that asked for nothing when a relay ended a circuit through them, and until when
}

func newNative(c *Client, fork eltor.Fork) *native {
	return &native{
		c: c, fork: fork, wanted: make(chan struct{}, 1),
		circuits: make(map[string]*nativeCircuit), byPay: make(map[paystream.Handle]*nativeCircuit),
		shunned: make(map[string]time.Time),
	}
}

// nativeCircuit is a paid circuit.
type nativeCircuit struct {
	n          *native
	path       []string
	hops       []*nativeHop // those that are paid
	controller string       // empty: it is for apps
	start      time.Time    // when tor was asked for it
	changed    chan struct{}
	tc         *tor.Circuit
	open       chan struct{} // closed when its pay streams are open, or will not be

	mu   sync.Mutex // guards what follows
	left bool
	err  error
}

// nativeHop is a relay of it that asks for money.
type nativeHop struct {
	at      int // 1 is the guard
	terms   policies.Terms
	payload eltor.Payload
	handle  paystream.Handle
	link    *eltor.Link
}

// terms reads what a relay asks; paid is false for one that asks nothing.
func (n *native) terms(ctx context.Context, fingerprint string) (t policies.Terms, paid bool, err error) {
	text, err := n.c.tor.Descriptor(ctx, fingerprint)
	switch {
	case errors.Is(err, tor.ErrNoDescriptor):
		if _, unknown := n.c.tor.RelayAddress(ctx, fingerprint); errors.Is(unknown, tor.ErrNoRelay) {
			err = unknown
		}
		return t, false, unusable(err)
	case err != nil:
		return t, false, err
	}
	t, err = eltor.ParseDescriptor(text, fingerprint)
	switch {
	case errors.Is(err, eltor.ErrFree):
		return t, false, nil
	case err != nil:
		return t, false, unusable(fmt.Errorf("terms of relay %s: %w", fingerprint, err))
	}
	return t, true, nil
}

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

// affordable refuses terms that nobody could be paid by, and a circuit for whose
// first hour the budget has no room.
func (n *native) affordable(ctx context.Context, controller string, all []policies.Terms) error {
	if len(all) == 0 {
		return nil
	}
	if n.c.cfg.Able != nil {
		if err := n.c.cfg.Able(); err != nil {
			return &paystream.Refusal{Reason: paystream.ReasonWallet, Err: err}
		}
	}
	var need int64
	for _, t := range all {
		if n.c.cfg.Payable != nil {
			if err := n.c.cfg.Payable(ctx, t.Descriptor); errors.Is(err, paystream.ErrRefused) {
				return unusable(fmt.Errorf("relay %s cannot be paid by what its descriptor names: %w", t.Relay, err))
			}
		}
		need += max(firstHour(t), t.RateMsat+n.c.policy.RoutingCapMsat(t.RateMsat))
	}
	if err := n.c.budget.room(n.c.cfg.Now(), controller, need); err != nil {
		return &paystream.Refusal{Reason: paystream.ReasonBudget, Err: err}
	}
	return nil
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
	for _, h := range p.hops {
		err := n.c.spawn(func(context.Context) { opened <- n.openHop(run, p, h) })
		if err != nil {
			stop()
			return nil, err
		}
	}
	if err := p.awaitFees(ctx, opened); err != nil {
		p.abandon(err)
		stop()
		return nil, err
	}
	if p.tc, err = n.builder.Build(ctx, wire, p.asking); err != nil {
		if errors.Is(err, eltor.ErrMayBeBuilt) {
			for _, h := range p.hops {
				n.end(context.WithoutCancel(ctx), h, paystream.ReasonCircuit)
			}
		}
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

// live is the life of a circuit from the moment on that tor has begun it.
func (p *nativeCircuit) live(ctx context.Context, opened <-chan error) {
	err := p.begin(ctx, opened)
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
	close(p.open)
	if err != nil {
		if !requested(err) && ctx.Err() == nil {
			p.n.c.failed(fmt.Errorf("circuit %s: %w", p.tc.ID, err))
		}
		p.leave(context.WithoutCancel(ctx), paystream.ReasonCircuit)
		return
	}
	p.serve(ctx)
}

// begin waits until the circuit is built, and its pay streams are open.
func (p *nativeCircuit) begin(ctx context.Context, opened <-chan error) error {
	if err := built(ctx, p.tc); err != nil {
		return err
	}
	for _, h := range p.hops {
		h.link.Built(p.start)
	}
	for range p.hops {
		select {
		case err := <-opened:
			if err != nil {
				return err
			}
		case <-p.tc.Done():
			return p.tc.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// serve keeps the circuit until it ends, one of its pay streams ends, or one is not
// paid any more.
func (p *nativeCircuit) serve(ctx context.Context) {
	for {
		if why, over := p.over(); over {
			p.leave(context.WithoutCancel(ctx), why)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-p.tc.Done():
			for _, h := range p.hops {
				h.link.Lost(p.tc.Err())
			}
			if !requested(p.tc.Err()) {
				p.n.c.failed(p.tc.Err())
				p.n.shun(p)
			}
			p.leave(context.WithoutCancel(ctx), paystream.ReasonCircuit)
			return
		case <-p.changed:
		}
	}
}

// over reports whether the circuit is of no use any more, and why: whoever of its
// relays is not paid, or has been to the end, will end it.
func (p *nativeCircuit) over() (why paystream.Reason, over bool) {
	for _, h := range p.hops {
		st, err := p.n.c.PayStream(h.handle)
		switch {
		case err != nil:
			return paystream.ReasonCircuit, true
		case st.Status == paystream.StatusCompleted:
			why, over = paystream.ReasonCompleted, true
		case st.Status == paystream.StatusClosed, st.Status == paystream.StatusRefused, st.Reason != "":
			return st.Reason, true
		}
	}
	return why, over
}

// leave ends the pay streams and the circuit.
func (p *nativeCircuit) leave(ctx context.Context, why paystream.Reason) {
	p.mu.Lock()
	if p.left {
		p.mu.Unlock()
		return
	}
	p.left = true
	p.mu.Unlock()
	select {
	case <-p.tc.Built():
		for _, h := range p.hops {
			if !p.n.completes(h) {
				p.n.end(ctx, h, why)
			}
		}
		p.n.closeCircuit(ctx, p.tc)
	default:
		p.n.closeCircuit(ctx, p.tc) // first: only then it is known how far it came
		p.leaveUnbuilt(ctx, why)
	}
	p.n.c.budget.forget(p.tc.ID)
	p.n.mu.Lock()
	delete(p.n.circuits, p.tc.ID)
	for _, h := range p.hops {
		delete(p.n.byPay, h.handle)
	}
	p.n.mu.Unlock()
}

// completes reports whether a pay stream is about to be over by itself: it was
// served to the end, and what it costs is paid or on its way.
func (n *native) completes(h *nativeHop) bool {
	st, err := n.c.PayStream(h.handle)
	if err != nil || st.Reason != "" || n.c.cfg.Now().Before(st.Start.Add(h.terms.Due(h.terms.Rounds)-moment)) {
		return false
	}
	return st.PaidThrough == st.Rounds || st.HeldMsat > 0
}

// moment is by how much the clocks of a circuit's relays and ours may differ.
const moment = 500 * time.Millisecond

func (n *native) end(ctx context.Context, h *nativeHop, why paystream.Reason) {
	if err := n.c.Payer.Close(ctx, h.handle, why); err != nil && !errors.Is(err, paystream.ErrNoPayStream) {
		n.c.failed(err)
	}
}

func (n *native) closeCircuit(ctx context.Context, tc *tor.Circuit) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := tc.Close(ctx); err != nil && !errors.Is(err, tor.ErrNotConnected) {
		n.c.failed(fmt.Errorf("close circuit %s: %w", tc.ID, err))
	}
}

// hear is told of each event of the engine's. It returns at once.
func (n *native) hear(e paystream.Event) {
	n.mu.Lock()
	p := n.byPay[e.Handle]
	n.mu.Unlock()
	if p == nil {
		return
	}
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

func (n *native) get(id string) *nativeCircuit {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.circuits[id]
}

func (n *native) list() (all []*nativeCircuit) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.circuits {
		all = append(all, p)
	}
	return all
}

// stop ends a pay stream at its user's wish, and the circuit with it: the relay
// would.
func (n *native) stop(ctx context.Context, h paystream.Handle) error {
	n.mu.Lock()
	p := n.byPay[h]
	n.mu.Unlock()
	if p == nil {
		return n.c.Payer.Close(ctx, h, paystream.ReasonClient)
	}
	p.leave(ctx, paystream.ReasonClient)
	return nil
}

// BuildNative gives tor a circuit whose hops carry what is given, and returns its
// id. Nobody is paid for it.
func (c *Client) BuildNative(ctx context.Context, hops []eltor.Hop) (id string, err error) {
	tc, err := c.native.builder.Build(ctx, hops, nil)
	if err != nil {
		return "", err
	}
	return tc.ID, nil
}

// Native reports whether this client's tor is El Tor's.
func (c *Client) Native() bool { return c.native != nil }

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
