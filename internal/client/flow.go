package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/socks"
	"github.com/el-tor/tops/paystream"
)

// A flow is an app's connection, whatever circuit carries it. When its circuit fails
// before the app has had a byte, it goes on through another one, and the app sees
// nothing of it: what it has said so far is said again. That is done only where it
// does no harm if the target has heard it already (see repeatable).
type flow struct {
	c      *Client
	key    isolation
	stable bool // it needs stable relays
	target string
	ctx    context.Context // ends with the flow
	cancel context.CancelFunc

	mu    sync.Mutex // guards what follows; held while it moves
	conn  net.Conn
	sent  []byte // what the app has said
	fixed bool   // it stays where it is
	moves int
}

const (
	maxSent  = 64 << 10 // what is remembered of it, at most
	maxMoves = 3
)

func (c *Client) connectFlow(ctx context.Context, r socks.Request) (net.Conn, error) {
	f := &flow{c: c, key: isolationOf(r), stable: c.lasting(ctx, r.Port), target: r.Target()}
	conn, err := f.connect(ctx)
	if err != nil {
		if free := c.atCap(err); !free {
			return nil, err
		}
		return c.connectFree(ctx, r)
	}
	c.said.tell(nil)
	c.capLifted()
	f.conn = conn
	f.ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return f, nil
}

// connectTries is how many times a connection is tried, on as many circuits if the
// circuits are at fault.
const connectTries = 4

// connect makes a connection through the circuit of the flow's key. Circuits that fail
// are left for another one.
func (f *flow) connect(ctx context.Context) (*tunnel, error) {
	var last error
	for range connectTries {
		p, err := f.c.pool.get(ctx, f.key, f.stable)
		if err != nil {
			if ctx.Err() == nil && !errors.As(err, new(*paystream.Refusal)) { // atCap tells of those
				f.c.said.tell(fmt.Errorf("no circuit for an app: %w", err))
			}
			return nil, errors.Join(err, last)
		}
		t, err := p.connect(ctx, f.target)
		if err == nil || ctx.Err() != nil {
			return t, err
		}
		last = err
		var demand *paystream.Demand
		var busy *paystream.Busy
		switch {
		case targets(err):
			return nil, err
		case errors.As(err, &demand) && demand.DueMsat > 0: // it could not be paid now: the relay is not at fault
			f.c.pool.drop(p)
		case errors.As(err, &busy) && busy.TooMany: // we were too quick
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return nil, err
			}
		case errors.Is(err, errLeft):
		default:
			f.c.lost(p, err)
		}
	}
	return nil, last
}

// targets reports whether an error is the target's, or of what the relay would not
// connect to: another circuit would not help, or should not be asked.
func targets(err error) bool {
	var target *gateway.TargetError
	return errors.Is(err, gateway.ErrPolicy) || errors.As(err, &target)
}

// Read implements net.Conn.
func (f *flow) Read(b []byte) (int, error) {
	for {
		conn := f.current()
		n, err := conn.Read(b)
		if n > 0 {
			f.fix()
			return n, err
		}
		if err == nil || !f.move(conn) {
			return 0, err
		}
	}
}

// Write implements net.Conn.
func (f *flow) Write(b []byte) (int, error) {
	conn := f.remember(b)
	n, err := conn.Write(b)
	if err != nil && f.move(conn) {
		return len(b), nil // it was said again with all before it
	}
	return n, err
}

// Close implements net.Conn.
func (f *flow) Close() error {
	f.cancel()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.conn.Close()
}

func (f *flow) LocalAddr() net.Addr                { return f.current().LocalAddr() }
func (f *flow) RemoteAddr() net.Addr               { return f.current().RemoteAddr() }
func (f *flow) SetDeadline(t time.Time) error      { return f.current().SetDeadline(t) }
func (f *flow) SetReadDeadline(t time.Time) error  { return f.current().SetReadDeadline(t) }
func (f *flow) SetWriteDeadline(t time.Time) error { return f.current().SetWriteDeadline(t) }

func (f *flow) current() net.Conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.conn
}

// fix keeps the flow where it is: the app has had a byte.
func (f *flow) fix() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fixed, f.sent = true, nil
}

func (f *flow) remember(b []byte) net.Conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.fixed:
	case len(f.sent)+len(b) > maxSent:
		f.fixed, f.sent = true, nil
	default:
		f.sent = append(f.sent, b...)
	}
	return f.conn
}

// move takes the flow to another circuit after conn failed. It reports whether the
// flow goes on.
func (f *flow) move(conn net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ctx.Err() != nil {
		return false
	}
	if f.conn != conn {
		return true // somebody else moved it
	}
	t, ok := conn.(*tunnel)
	if !ok || f.fixed || f.moves == maxMoves || !repeatable(f.sent) || !t.of.atFault(f.ctx) {
		return false
	}
	f.moves++
	next, err := f.connect(f.ctx)
	if err != nil {
		return false
	}
	if _, err := next.Write(f.sent); err != nil {
		next.Close()
		return false
	}
	f.conn = next
	conn.Close()
	return true
}

// repeatable reports whether saying it twice does no harm: nothing, the beginning of
// a TLS handshake (RFC 8446 §5.1), which leads nowhere if it is not answered, or an
// HTTP request that asks and does nothing (RFC 9110 §9.2.1).
func repeatable(sent []byte) bool {
	if len(sent) == 0 || len(sent) >= 2 && sent[0] == 22 && sent[1] == 3 {
		return true
	}
	for _, method := range []string{"GET ", "HEAD ", "OPTIONS "} {
		if bytes.HasPrefix(sent, []byte(method)) {
			return true
		}
	}
	return false
}

// atFault reports whether it was the circuit, and not the target, that ended a
// connection before its first byte. Who asks has time.
func (p *circuit) atFault(ctx context.Context) bool {
	p.mu.Lock()
	left, tc := p.left, p.tc
	p.mu.Unlock()
	if left || tc.Err() != nil || p.over() {
		return true
	}
	return p.probe(ctx) != nil && ctx.Err() == nil
}
