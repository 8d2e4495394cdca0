package tor

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/el-tor/tops/controlspec"
)

// The pause between attempts to connect grows from the first to the second.
const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 2 * time.Second
)

// handleTimeout bounds what a handler does about one event or connection: a
// tor that answers nothing for so long is given up, and connected to anew.
const handleTimeout = 30 * time.Second

// A Client keeps one control connection to tor: it connects again when it was
// lost, subscribes again to what its handlers want, and calls them.
type Client struct {
	link
	config Config
	there  bool // tor is connected to, as State was told
	lost   atomic.Pointer[Loss]
	cancel context.CancelFunc
	ended  chan struct{}
}

// Loss is a tor that cannot be reached.
type Loss struct {
	Since time.Time
	Err   error // why
}

// Lost says since when and why tor is lost; nil while it is connected to.
func (c *Client) Lost() *Loss { return c.lost.Load() }

// Config says how a [Client] reaches tor and whom it serves.
type Config struct {
	Options
	// Handlers are called in this order.
	Handlers []Handler
	// State, if set, is called with nil after each connect, and once with the
	// reason when the connection is lost, however long tor stays away.
	State func(err error)
}

// Start connects to tor, lets every handler begin, and keeps the connection
// until Close. It fails when the first connection does. The context bounds
// that alone.
func Start(ctx context.Context, config Config) (*Client, error) {
	c := &Client{config: config, ended: make(chan struct{})}
	conn, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	// Values of ctx, its cancellation not.
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.cancel = cancel
	go func() {
		defer close(c.ended)
		c.keep(run, conn)
	}()
	return c, nil
}

// Close ends the connection, tells the handlers, and waits. Options that
// handlers have set stay: see [Settings.Restore].
func (c *Client) Close() error {
	c.cancel()
	<-c.ended
	return nil
}

// connect makes a connection and hands it to the handlers.
func (c *Client) connect(ctx context.Context) (*Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, handleTimeout, errors.New("tor does not answer"))
	defer cancel()
	conn, err := Dial(ctx, c.config.Options)
	if err != nil {
		return nil, err
	}
	if err := c.begin(ctx, conn); err != nil {
		c.end(conn, err)
		return nil, err
	}
	c.set(conn)
	c.state(nil)
	return conn, nil
}

func (c *Client) begin(ctx context.Context, conn *Conn) error {
	if err := subscribe(ctx, conn, c.config.Handlers); err != nil {
		return err
	}
	for _, h := range c.config.Handlers {
		if err := h.Connected(ctx, conn); err != nil {
			return err
		}
	}
	return nil
}

// end closes a connection and tells the handlers, last first.
func (c *Client) end(conn *Conn, reason error) {
	c.set(nil)
	conn.Close()
	for _, h := range slices.Backward(c.config.Handlers) {
		h.Disconnected(reason)
	}
}

// keep serves one connection after the other.
func (c *Client) keep(ctx context.Context, conn *Conn) {
	backoff := minBackoff
	for {
		if conn != nil {
			backoff = minBackoff
			err := c.serve(ctx, conn)
			c.end(conn, err)
			if ctx.Err() != nil {
				return
			}
			c.state(err)
		}
		pause := time.NewTimer(backoff/2 + rand.N(backoff/2))
		select {
		case <-ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
		backoff = min(2*backoff, maxBackoff)
		var err error
		if conn, err = c.connect(ctx); err != nil && ctx.Err() == nil {
			c.state(err)
		}
	}
}

// serve hands events to handlers until the connection ends, and returns why.
func (c *Client) serve(ctx context.Context, conn *Conn) error {
	wanting := make(map[string][]Handler)
	for _, h := range c.config.Handlers {
		for _, name := range h.Events() {
			wanting[name] = append(wanting[name], h)
		}
	}
	for {
		event, err := conn.NextEvent(ctx)
		if err != nil {
			return err
		}
		for _, h := range wanting[eventName(event)] {
			if err := handle(ctx, h, event); err != nil {
				return err
			}
		}
	}
}

// handle lets a handler see an event, for a bounded time.
func handle(ctx context.Context, h Handler, event controlspec.Reply) error {
	ctx, cancel := context.WithTimeoutCause(ctx, handleTimeout, errors.New("tor does not answer"))
	defer cancel()
	h.Event(ctx, event)
	return context.Cause(ctx)
}

func (c *Client) state(err error) {
	there := err == nil
	switch {
	case there:
		c.lost.Store(nil)
	case c.there:
		c.lost.Store(&Loss{time.Now(), err})
	}
	if c.config.State != nil && there != c.there {
		c.config.State(err)
	}
	c.there = there
}
