package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/socks"
	"github.com/el-tor/tops/paystream"
)

// Connect makes the connection that an app asks for: through the paid circuit
// that its user name picks (circ=<id>), else through the default one, which is
// made if there is none.
func (c *Client) Connect(ctx context.Context, r socks.Request) (net.Conn, error) {
	if strings.HasSuffix(strings.ToLower(r.Name), ".onion") {
		return c.connectOnion(ctx, r)
	}
	p, err := c.pick(ctx, r.User)
	if err != nil {
		return nil, err
	}
	return p.connect(ctx, r.Target())
}

// pick finds the circuit for a connection, and waits until it can be used.
func (c *Client) pick(ctx context.Context, user string) (*circuit, error) {
	if id, ok := strings.CutPrefix(user, "circ="); ok {
		c.mu.Lock()
		p := c.paid[id]
		c.mu.Unlock()
		if p == nil {
			return nil, fmt.Errorf("no paid circuit %q", id)
		}
		return p, p.wait(ctx)
	}
	for _, p := range c.list() {
		if p.self == nil && p.usable() { // whoever pays for a circuit says who uses it
			return p, nil
		}
	}
	return c.makeDefault(ctx)
}

// usable reports whether new connections may go through the circuit.
func (p *circuit) usable() bool {
	select {
	case <-p.ready:
	default:
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err == nil && !p.left && !p.retired
}

// wait returns when the circuit can be used, or why it cannot.
func (p *circuit) wait(ctx context.Context) error {
	select {
	case <-p.ready:
	case <-ctx.Done():
		return ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// connectFor bounds how long an app waits for its connection: the relay's own
// limit for a target, and the way there.
const connectFor = 45 * time.Second

// connect opens a tunnel to a target. A relay that knows nothing of the pay
// stream, or wants money that we believe it has, is asked how it sees things.
func (p *circuit) connect(ctx context.Context, target string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectFor)
	defer cancel()
	pay := p.current()
	hash, err := p.c.Hash(pay)
	if err != nil {
		return nil, err
	}
	conn, err := p.link.Connect(ctx, hash, target)
	if err != nil {
		if errors.Is(err, paystream.ErrUnknown) || errors.As(err, new(*paystream.Demand)) {
			p.c.Ask(pay)
		}
		return nil, err
	}
	t := &tunnel{Conn: conn, of: p}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left {
		conn.Close()
		return nil, fmt.Errorf("circuit %s has just been left", p.tc.ID)
	}
	p.tunnels[t] = struct{}{}
	return t, nil
}

// Reply says what an app is told of an error.
func Reply(err error) socks.Reply {
	var target *gateway.TargetError
	var demand *paystream.Demand
	switch {
	case errors.Is(err, gateway.ErrPolicy), errors.As(err, &demand):
		return socks.NotAllowed
	case errors.As(err, &target):
		switch target.Code {
		case gateway.TargetRefused:
			return socks.ConnectionRefused
		case gateway.TargetTimeout:
			return socks.TTLExpired
		default:
			return socks.HostUnreachable
		}
	default:
		return socks.GeneralFailure
	}
}

// making is a default circuit that several apps may be waiting for.
type making struct {
	done chan struct{}
	p    *circuit
	err  error
}

// makeDefault makes the circuit that apps use unless they pick one. Whoever comes
// while it is made waits for the same one.
func (c *Client) makeDefault(ctx context.Context) (*circuit, error) {
	c.mu.Lock()
	m := c.making
	found := m != nil
	if !found {
		m = &making{done: make(chan struct{})}
		c.making = m
	}
	c.mu.Unlock()
	if !found {
		made := func() {
			c.mu.Lock()
			c.making = nil
			c.mu.Unlock()
			close(m.done)
		}
		if err := c.spawn(func(run context.Context) {
			defer made()
			m.p, m.err = c.makeOne(run)
		}); err != nil {
			m.err = err
			made()
		}
	}
	select {
	case <-m.done:
		return m.p, m.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// makeTries is how many paths are tried for one circuit.
const makeTries = 3

func (c *Client) makeOne(ctx context.Context) (p *circuit, err error) {
	for range makeTries {
		var path []string
		if path, err = c.choosePath(ctx, pathRequest{}); err != nil {
			return nil, err
		}
		if p, err = c.extend(ctx, "", path, nil); err != nil {
			continue
		}
		if err = p.wait(ctx); err == nil || ctx.Err() != nil {
			return p, err
		}
	}
	return nil, fmt.Errorf("no paid circuit could be made: %w", err)
}
