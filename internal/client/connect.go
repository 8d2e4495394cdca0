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

// Connect makes the connection that an app asks for: through the controller's
// circuit that its user name picks (circ=<id>), else through the circuit that its
// isolation key has in the pool.
func (c *Client) Connect(ctx context.Context, r socks.Request) (net.Conn, error) {
	if isOnion(r.Name) {
		return c.connectOnion(ctx, r)
	}
	if c.native != nil {
		return c.native.connect(ctx, r)
	}
	if id, ok := strings.CutPrefix(r.User, "circ="); ok {
		p, err := c.controllers(ctx, id)
		if err != nil {
			return nil, err
		}
		t, err := p.connect(ctx, r.Target())
		if err != nil {
			return nil, err
		}
		return t, nil
	}
	return c.connectFlow(ctx, r)
}

// controllers finds a controller's circuit, and waits until it can be used.
func (c *Client) controllers(ctx context.Context, id string) (*circuit, error) {
	c.mu.Lock()
	p := c.paid[id]
	c.mu.Unlock()
	if p == nil || p.pooled { // what apps are kept apart on is nobody's to pick
		return nil, fmt.Errorf("no paid circuit %q", id)
	}
	return p, p.wait(ctx)
}

// usable implements member. A circuit that tor has lost counts for another moment:
// there may soon be one in its place.
func (p *circuit) usable() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil || p.left || p.retired {
		return false
	}
	if p.tc.Err() == nil {
		return true
	}
	now := time.Now()
	if p.lost.IsZero() {
		p.lost = now
	}
	return p.begun && now.Sub(p.lost) < rebuildWait
}

// stable implements member.
func (p *circuit) stable() bool { return p.lasting }

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

// connect opens a tunnel to a target.
func (p *circuit) connect(ctx context.Context, target string) (*tunnel, error) {
	ctx, cancel := context.WithTimeout(ctx, connectFor)
	defer cancel()
	if err := p.enter(); err != nil {
		return nil, err
	}
	conn, err := p.connectPaid(ctx, target)
	if err == nil {
		t := &tunnel{Conn: conn, of: p, target: target}
		if err = p.addTunnel(t); err == nil {
			return t, nil
		}
		conn.Close()
	}
	p.goOut()
	return nil, err
}

// connectOnce asks the relay once. One for which the pay stream is unknown, or over, is
// asked how it sees things.
func (p *circuit) connectOnce(ctx context.Context, target string) (conn net.Conn, err error) {
	pay := p.current()
	hash, err := p.c.Hash(pay)
	if err != nil {
		return nil, err
	}
	err = p.attentive(ctx, func(ctx context.Context) (err error) {
		conn, err = p.link.Connect(ctx, hash, target)
		return err
	})
	var demand *paystream.Demand
	if errors.Is(err, paystream.ErrUnknown) || errors.As(err, &demand) && demand.DueMsat == 0 {
		p.c.Ask(pay)
	}
	return conn, err
}

// Reply says what an app is told of an error.
func Reply(err error) socks.Reply {
	var target *gateway.TargetError
	var demand *paystream.Demand
	var no *paystream.Refusal
	switch {
	case errors.Is(err, gateway.ErrPolicy), errors.As(err, &demand), errors.As(err, &no):
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
