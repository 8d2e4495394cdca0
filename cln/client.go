package cln

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/creachadair/jrpc2"
)

// Client calls one lightningd over its lightning-rpc socket. Calls may be made at the same time; they share a
// connection, which is made when it is first needed and made again when it broke. Close it.
type Client struct {
	path string

	mu     sync.Mutex // protects what follows
	conn   *jrpc2.Client
	dialed uint64 // connections made so far
	closed bool
}

// NewClient returns a client of the node whose socket is at path. The node need not be there yet.
func NewClient(path string) *Client { return &Client{path: path} }

// Close cuts the connection; calls under way return [ErrNoAnswer].
func (c *Client) Close() error {
	c.mu.Lock()
	conn := c.conn
	c.conn, c.closed = nil, true
	c.mu.Unlock()
	if conn == nil {
		return nil
	}
	return conn.Close()
}

// Call calls a command with params, a struct or a map, and reads its answer into result, unless that is nil.
//
// The error is, or wraps, an [*Error] when the node said no, [ErrUnreachable] when it was not asked, and [ErrNoAnswer]
// when it was asked and its answer did not come, because the connection broke or ctx ended. After the last the command
// may have been carried out, or be under way still.
func (c *Client) Call(ctx context.Context, method string, params, result any) error {
	if params == nil {
		params = struct{}{} // lightningd wants the member
	}
	for range 3 { // connections that had broken, unnoticed
		conn, err := c.connect(ctx)
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrUnreachable, method, err)
		}
		rsp, err := conn.Call(ctx, method, params)
		if err == nil {
			return unmarshal(method, rsp, result)
		}
		if again, err := c.explain(ctx, conn, method, err); !again {
			return err
		}
	}
	return fmt.Errorf("%w: %s: it closes every connection", ErrUnreachable, method)
}

func unmarshal(method string, rsp *jrpc2.Response, result any) error {
	if result == nil {
		return nil
	}
	if err := rsp.UnmarshalResult(result); err != nil {
		return fmt.Errorf("lightning: %s: %w: %w", method, ErrNoAnswer, err)
	}
	return nil
}

// explain turns jrpc2's errors into ours. again means that the connection had broken before the request was written.
func (c *Client) explain(ctx context.Context, conn *jrpc2.Client, method string, err error) (again bool, _ error) {
	broken := conn.IsStopped()
	if broken {
		c.forget(conn)
	}
	var answer *jrpc2.Error
	var sent *sendError
	switch {
	case errors.As(err, &answer) && !(broken && answer.Code == jrpc2.InternalError):
		return false, &Error{Method: method, Code: Code(answer.Code), Message: answer.Message, Data: json.RawMessage(answer.Data)}
	case errors.As(err, &sent):
		c.forget(conn)
		_ = conn.Close() // half a request may stand in it
		return !sent.written, fmt.Errorf("%w: %s: %w", ErrNoAnswer, method, err)
	case ctx.Err() != nil:
		return false, fmt.Errorf("%w: %s: %w", ErrNoAnswer, method, context.Cause(ctx))
	case broken && answer == nil && !errors.Is(err, context.Canceled):
		return true, nil
	}
	return false, fmt.Errorf("%w: %s: the connection broke", ErrNoAnswer, method)
}

// connect returns the connection, made now if there is none.
func (c *Client) connect(ctx context.Context) (*jrpc2.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, net.ErrClosed
	}
	if c.conn != nil && !c.conn.IsStopped() {
		return c.conn, nil
	}
	c.conn = nil
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.path)
	if err != nil {
		return nil, err
	}
	c.conn = jrpc2.NewClient(newWire(conn), nil)
	c.dialed++
	return c.conn, nil
}

// connection numbers the connection that the next call will use, made now if there is none. The node may have been
// started again, as another one, since an earlier number.
func (c *Client) connection(ctx context.Context) (uint64, error) {
	if _, err := c.connect(ctx); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dialed, nil
}

func (c *Client) forget(conn *jrpc2.Client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == conn {
		c.conn = nil
	}
}
