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
	terms      policies.Terms // changed with mu held, by live alone, and no more when ready is closed
	link       *gateway.Client
	controller string
	self       *SelfPaid     // the controller pays; nil: we do
	exit       bool          // the last relay is an exit for everybody, too
	serial     uint64        // no other circuit of this process has it
	lasting    bool          // its relays are Stable; of a pooled one
	pooled     bool          // for the apps of the SOCKS port; else a controller's
	start      chan struct{} // closed when somebody wants it to be paid
	ready      chan struct{} // closed when the first pay stream is open, or will not be
	heard      chan struct{} // its pay stream has changed
	empty      chan struct{} // it is wanted no more, and nobody uses it

	bytes atomic.Int64

	mu      sync.Mutex // guards what follows
	tc      *tor.Circuit
	pay     counted
	before  counted // the pay stream that pay continues
	begun   bool    // start is closed
	left    bool
	failed  bool          // a connection failed by its fault
	dead    bool          // its relay does not answer
	retired bool          // nothing new goes through it
	drains  bool          // and it ends with its last connection
	lost    time.Time     // when tor's circuit was found to have ended; zero while it lives
	rebuilt chan struct{} // closed when there is another in its place, or will not be
	err     error
	tunnels map[*tunnel]struct{}
	users   int           // connections, and those that are being made
	used    time.Time     // when the last one came or went
	waited  time.Duration // how long somebody waited for bytes
	covered int64         // and until when that is counted, in Unix nanoseconds
	quality quality
	sides   map[int]paystream.Handle // the pay streams of the relays before the last, by hop
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
	if c.native != nil {
		p, err := c.native.extend(ctx, controller, path)
		if err != nil {
			return "", err
		}
		return p.tc.ID, nil
	}
	p, err := c.extend(ctx, controller, path, nil)
	if err != nil {
		return "", err
	}
	p.want()
	return p.tor().ID, nil
}

// extend begins a circuit, which is not paid before it is wanted. self is what a
// controller brings that pays itself.
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
		pooled: controller == "",
		start:  make(chan struct{}), ready: make(chan struct{}),
		heard: make(chan struct{}, 1), empty: make(chan struct{}, 1), rebuilt: make(chan struct{}),
		tunnels: make(map[*tunnel]struct{}), sides: make(map[int]paystream.Handle),
	}
	p.link = gateway.NewClient(p.dial)
	p.link.Now = c.cfg.Now
	c.mu.Lock()
	c.serial++
	p.serial = c.serial
	c.paid[tc.ID] = p
	c.mu.Unlock()
	return p
}

// dial connects to the gateway of the circuit's last relay.
func (p *circuit) dial(ctx context.Context) (net.Conn, error) {
	p.mu.Lock()
	t := p.terms
	p.mu.Unlock()
	return p.dialHop(ctx, len(p.path), tor.Gateway{Fingerprint: t.Relay, Addr: t.Gateway})
}

// dialHop connects to a gateway through the circuit. A circuit that tor has lost is
// waited for, a moment: another may be in its place soon.
func (p *circuit) dialHop(ctx context.Context, hop int, g tor.Gateway) (net.Conn, error) {
	p.mu.Lock()
	tc, rebuilt, left := p.tc, p.rebuilt, p.left
	p.mu.Unlock()
	if err := tc.Err(); err != nil {
		if left {
			return nil, err
		}
		select {
		case <-rebuilt:
		case <-time.After(rebuildWait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if tc = p.tor(); tc.Err() != nil {
			return nil, tc.Err()
		}
	}
	return p.c.attacher.DialGateway(ctx, g, tor.Target{Circuit: tc.ID, Hop: hop})
}

// tor is the circuit as tor has it now.
func (p *circuit) tor() *tor.Circuit {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tc
}

// live is the life of a circuit of ours: from being built to its end.
func (p *circuit) live(ctx context.Context, known bool) {
	err := built(ctx, p.tor())
	if err == nil {
		err = p.wanted(ctx)
	}
	opening := err == nil // who is to blame for the rest notBuilt knows
	if opening {
		err = p.attentive(ctx, func(ctx context.Context) error { return p.open(ctx, known) })
	}
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
	close(p.ready)
	if err != nil {
		if !nobodys(ctx, err) && !errors.Is(err, errUnwanted) {
			if opening && p.pooled && !ours(err) {
				p.c.noteFailed(p.terms.Relay)
			}
			p.c.failed(fmt.Errorf("circuit %s: %w", p.tor().ID, err))
		}
		p.leave(context.WithoutCancel(ctx), paystream.ReasonRelay)
		return
	}
	p.serve(ctx)
}

// nobodys reports whether the end of a circuit is no relay's fault: somebody wanted it,
// tor is gone, or we are.
func nobodys(ctx context.Context, err error) bool {
	return requested(err) || ctx.Err() != nil || errors.Is(err, tor.ErrCircuitGone) || errors.Is(err, tor.ErrNotConnected)
}

// ours reports whether a refusal has nothing to do with the relay.
func ours(err error) bool {
	var no *paystream.Refusal
	return errors.As(err, &no) && (no.Reason == paystream.ReasonBudget || no.Reason == paystream.ReasonWallet || no.Reason == paystream.ReasonClient)
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
