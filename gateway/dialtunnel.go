package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/el-tor/tops/paystream"
)

// Connect opens a tunnel to a target (host:port) in the name of a pay stream,
// over a connection of its own. Besides the errors of package paystream it
// returns ErrPolicy and *TargetError.
func (c *Client) Connect(ctx context.Context, h paystream.PaymentIDHash, target string) (net.Conn, error) {
	conn, _, err := c.tunnel(ctx, nil, h, target)
	return conn, err
}

// OpenAndConnect delivers an intent and opens a tunnel in one round trip: the
// two requests are written at once.
func (c *Client) OpenAndConnect(ctx context.Context, in paystream.Intent, target string) (net.Conn, paystream.Answer, error) {
	q := openQuestion(in)
	return c.tunnel(ctx, &q, in.Hash, target)
}

// tunnel writes everything that it has to say as soon as it has a connection. An
// answer to the intent is returned even when the tunnel was refused.
func (c *Client) tunnel(ctx context.Context, open *question, h paystream.PaymentIDHash, target string) (net.Conn, paystream.Answer, error) {
	var answer paystream.Answer
	t, err := ParseTarget(target)
	if err != nil {
		return nil, answer, fmt.Errorf("gateway: CONNECT: %w", err)
	}
	var out []byte
	if open != nil {
		if out, err = open.bytes(); err != nil {
			return nil, answer, err
		}
	}
	out = append(out, "CONNECT "+t.String()+" HTTP/1.1\r\nHost: "+t.String()+"\r\nProxy-Authorization: Tops "+h.Hex()+"\r\n\r\n"...)

	conn, err := c.dial(ctx)
	if err != nil {
		return nil, answer, err
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	rest, answer, err := c.shake(conn, out, open)
	if !stop() && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, answer, fmt.Errorf("gateway: CONNECT: %w", err)
	}
	if len(rest) > 0 {
		return &tunnelConn{Conn: conn, rest: rest}, answer, nil
	}
	return conn, answer, nil
}

// shake writes the requests and reads the answers; rest is what the target has
// said already.
func (c *Client) shake(conn net.Conn, out []byte, open *question) (rest []byte, a paystream.Answer, err error) {
	br := bufio.NewReaderSize(conn, maxHead)
	asked := c.Now()
	if _, err := conn.Write(out); err != nil {
		return nil, a, err
	}
	if open != nil {
		r, err := readResponse(br, false)
		if err != nil {
			return nil, a, err
		}
		var b viewBody
		if err := open.read(r, &b); err != nil {
			return nil, a, err
		}
		v, err := b.view(open.hash)
		if err != nil {
			return nil, a, err
		}
		a = paystream.Answer{View: v, Asked: asked}
	}
	r, err := readResponse(br, true)
	if err != nil {
		return nil, a, err
	}
	if r.status != 200 {
		return nil, a, asError(r)
	}
	rest, err = br.Peek(br.Buffered())
	return slices.Clone(rest), a, err
}

// tunnelConn is a tunnel of which a little was read with the answer.
type tunnelConn struct {
	net.Conn
	rest []byte
}

// Read gives what was read already first.
func (c *tunnelConn) Read(b []byte) (int, error) {
	if len(c.rest) > 0 {
		n := copy(b, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}

// WriteTo leaves the copying to the connection beneath, which may know how to
// do it in the kernel.
func (c *tunnelConn) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(c.rest)
	c.rest = c.rest[n:]
	if err != nil {
		return int64(n), err
	}
	more, err := io.Copy(w, c.Conn)
	return int64(n) + more, err
}

// CloseWrite tells the target that no more will come.
func (c *tunnelConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Conn.Close()
}
