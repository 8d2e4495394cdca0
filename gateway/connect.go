package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/el-tor/tops/paystream"
)

// errExhausted is for a tunnel of a pay stream that has used its allowance.
var errExhausted = errors.New("the allowance is used up")

// connect is CONNECT host:port. The target is looked at only after the payer
// has been, and is forgotten with the tunnel.
func (c *conn) connect(ctx context.Context, req request) {
	if err := c.tunnel(ctx, req); err != nil {
		c.refuse(req.method, err)
	}
}

func (c *conn) tunnel(ctx context.Context, req request) error {
	h, err := authorization(req.fields["proxy-authorization"])
	if err != nil {
		return err
	}
	if err := c.authorize(ctx, h); err != nil {
		return err
	}
	c.server.room.welcome(c)
	target, err := ParseTarget(req.path)
	if err != nil {
		return err
	}
	conn, err := c.dial(ctx, target)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.target = conn
	c.mu.Unlock()
	select {
	case <-c.done: // cut between the two: nobody else closes it
		conn.Close()
		return nil
	default:
	}

	first, err := c.buffered()
	if err != nil {
		return nil
	}
	c.server.cfg.Answered(req.method, http.StatusOK)
	c.tcp.SetWriteDeadline(time.Now().Add(c.server.cfg.HeadTimeout))
	if _, err := io.WriteString(c.tcp, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return nil
	}
	c.tcp.SetWriteDeadline(time.Time{})
	c.server.stats.tunnels.Add(1)
	defer c.server.stats.tunnels.Add(-1)
	t := &tunnel{conn: c, target: conn}
	t.run(first, c.server.cfg.IdleTimeout)
	return nil
}

// dial connects to the target, unless the connection is cut meanwhile: a pay
// stream that was stopped needs no target any more. Those who have paid nothing yet
// share a few places, or slow targets would cost them nothing and the others theirs.
func (c *conn) dial(ctx context.Context, target Target) (*net.TCPConn, error) {
	if m := c.meter.Load(); m == nil || !m.paid(c.server.freeBytes) {
		select {
		case c.server.newcomerDials <- struct{}{}:
			defer func() { <-c.server.newcomerDials }()
		default:
			return nil, &paystream.Busy{RetryAfter: time.Second, Reason: "too many targets are being connected to for those who have not paid yet"}
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-c.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	return c.server.cfg.Dial.Dial(ctx, target)
}

// authorize lets the payee say which pay stream the tunnel counts to, and
// counts it.
func (c *conn) authorize(ctx context.Context, h paystream.PaymentIDHash) error {
	payee := *c.server.payee.Load()
	ctx, cancel := context.WithTimeout(ctx, c.server.cfg.PayeeTimeout)
	defer cancel()
	handle, err := payee.Authorize(ctx, h)
	if err != nil {
		return err
	}
	err = c.server.attach(c, handle, true)
	if !errors.Is(err, errExhausted) {
		return err
	}
	// The bytes ran out after the payee looked: it looks again.
	if _, err := payee.Authorize(ctx, h); err != nil {
		return err
	}
	return &paystream.Busy{RetryAfter: time.Second, Reason: "every byte of this pay stream is used"}
}

// buffered takes the bytes that came with the head, and gives the buffer back.
func (c *conn) buffered() ([]byte, error) {
	b, err := c.br.Peek(c.br.Buffered())
	b = slices.Clone(b)
	c.release()
	return b, err
}
