package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// Client is a payer's line to one gateway through one circuit. Its methods may
// be called at the same time; those that ask a question share one connection
// and take turns. Close it when the circuit is gone.
type Client struct {
	dial func(ctx context.Context) (net.Conn, error)

	// Now is the payer's clock, time.Now if it is not set. Set it before use.
	Now func() time.Time

	turn chan struct{} // holds a token while nobody asks

	mu     sync.Mutex // guards those below; held for no waiting
	line   *line      // the control connection, nil while there is none
	closed bool
}

var _ paystream.Link = (*Client)(nil)

// NewClient makes a client that connects to the gateway with dial: through the
// circuit that is paid for.
func NewClient(dial func(ctx context.Context) (net.Conn, error)) *Client {
	c := &Client{dial: dial, Now: time.Now, turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	return c
}

// Close closes the control connection. Tunnels are their owners'.
func (c *Client) Close() error {
	c.mu.Lock()
	l := c.line
	c.line, c.closed = nil, true
	c.mu.Unlock()
	if l != nil {
		l.close(net.ErrClosed)
	}
	return nil
}

// Terms asks what the relay offers now.
func (c *Client) Terms(ctx context.Context) (policies.Terms, error) {
	var b termsBody
	if _, err := c.ask(ctx, question{method: http.MethodGet, path: "/tops/v1/terms", want: http.StatusOK}, &b); err != nil {
		return policies.Terms{}, fmt.Errorf("gateway: terms: %w", err)
	}
	t, err := b.terms()
	if err != nil {
		return t, fmt.Errorf("gateway: terms: %w", err)
	}
	return t, nil
}

// Open delivers an intent: POST /tops/v1/paystreams.
func (c *Client) Open(ctx context.Context, in paystream.Intent) (paystream.Answer, error) {
	return c.askView(ctx, openQuestion(in))
}

// View asks for the payee's view: GET /tops/v1/paystream.
func (c *Client) View(ctx context.Context, h paystream.PaymentIDHash) (paystream.Answer, error) {
	return c.askView(ctx, viewQuestion(h))
}

// End ends a pay stream: DELETE /tops/v1/paystream.
func (c *Client) End(ctx context.Context, h paystream.PaymentIDHash, p paystream.Preimage) (paystream.Answer, error) {
	return c.askView(ctx, question{method: http.MethodDelete, path: "/tops/v1/paystream", hash: h, auth: true,
		body: endBody{Preimage: p.Hex()}, want: http.StatusOK})
}

// Invoice asks for a BOLT11 invoice: POST /tops/v1/invoices.
func (c *Client) Invoice(ctx context.Context, h paystream.PaymentIDHash, round int, amountMsat int64) (string, error) {
	var b invoiceBody
	_, err := c.ask(ctx, question{method: http.MethodPost, path: "/tops/v1/invoices", hash: h, auth: true,
		body: invoiceRequestBody{Round: round, AmountMsat: amountMsat}, want: http.StatusOK}, &b)
	if err != nil {
		return "", fmt.Errorf("gateway: invoice: %w", err)
	}
	if b.Invoice == "" || !isToken(b.Invoice) {
		return "", fmt.Errorf("gateway: invoice: the answer holds none")
	}
	return b.Invoice, nil
}

// question is one request that is not a CONNECT.
type question struct {
	method, path string
	hash         paystream.PaymentIDHash
	auth         bool // show the hash
	body         any  // nil for none
	want         int  // the status of success
}

func openQuestion(in paystream.Intent) question {
	return question{method: http.MethodPost, path: "/tops/v1/paystreams", hash: in.Hash, body: newIntentBody(in), want: http.StatusCreated}
}

func viewQuestion(h paystream.PaymentIDHash) question {
	return question{method: http.MethodGet, path: "/tops/v1/paystream", hash: h, auth: true, want: http.StatusOK}
}

// bytes writes the request.
func (q question) bytes() ([]byte, error) {
	out := []byte(q.method + " " + q.path + " HTTP/1.1\r\n")
	if q.auth {
		out = append(out, "Authorization: Tops "+q.hash.Hex()+"\r\n"...)
	}
	if q.body == nil {
		return append(out, "\r\n"...), nil
	}
	b, err := json.Marshal(q.body)
	if err != nil {
		return nil, err
	}
	out = append(out, "Content-Type: application/json\r\nContent-Length: "+strconv.Itoa(len(b))+"\r\n\r\n"...)
	return append(out, b...), nil
}

func (q question) read(r response, into any) error {
	if r.status != q.want {
		return asError(r)
	}
	return unmarshal(r.body, into)
}

func (c *Client) askView(ctx context.Context, q question) (paystream.Answer, error) {
	var b viewBody
	asked, err := c.ask(ctx, q, &b)
	if err != nil {
		return paystream.Answer{}, fmt.Errorf("gateway: %s: %w", q.method, err)
	}
	v, err := b.view(q.hash)
	if err != nil {
		return paystream.Answer{}, fmt.Errorf("gateway: %s: %w", q.method, err)
	}
	return paystream.Answer{View: v, Asked: asked}, nil
}

// ask puts a question over the control connection. When that was lost while
// nobody used it, the question is put once more over a new one: asking twice
// is harmless, throughout the protocol.
func (c *Client) ask(ctx context.Context, q question, into any) (asked time.Time, err error) {
	b, err := q.bytes()
	if err != nil {
		return asked, err
	}
	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-ctx.Done():
		return asked, ctx.Err()
	}
	for {
		l, fresh, err := c.connect(ctx)
		if err != nil {
			return asked, err
		}
		asked = c.Now()
		r, err := l.ask(ctx, b)
		if err != nil && !fresh && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return asked, err
		}
		return asked, q.read(r, into)
	}
}

// connect returns the control connection, a fresh one if there is none alive.
// The caller has the turn.
func (c *Client) connect(ctx context.Context) (l *line, fresh bool, err error) {
	c.mu.Lock()
	l = c.line
	closed := c.closed
	c.mu.Unlock()
	if closed {
		return nil, false, net.ErrClosed
	}
	if l != nil && l.alive() {
		return l, false, nil
	}
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, false, err
	}
	l = newLine(conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		l.close(net.ErrClosed)
		return nil, false, net.ErrClosed
	}
	c.line = l
	return l, true, nil
}
