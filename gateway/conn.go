package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/el-tor/tops/paystream"
)

// conn is one connection from our own tor.
type conn struct {
	server *Server
	tcp    *net.TCPConn
	br     *bufio.Reader         // only while a request is being read
	meter  atomic.Pointer[meter] // of the pay stream that it has shown, nil before

	once   sync.Once
	done   chan struct{} // closed by cut
	mu     sync.Mutex
	target *net.TCPConn // of a tunnel
}

// cut ends the connection this moment, both sides of a tunnel with it: what is
// still in the kernel's buffers is thrown away.
func (c *conn) cut() {
	c.once.Do(func() {
		close(c.done)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.tcp.SetLinger(0)
		c.tcp.Close()
		if c.target != nil {
			c.target.SetLinger(0)
			c.target.Close()
		}
	})
}

// close ends the connection in order.
func (c *conn) close() {
	c.once.Do(func() {
		close(c.done)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.tcp.Close()
		if c.target != nil {
			c.target.Close()
		}
	})
}

// readers are shared, because most connections are idle most of the time.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, maxHead) }}

// serve answers requests until one is a tunnel, or one fails.
func (c *conn) serve(ctx context.Context) {
	defer c.release()
	for {
		if err := c.await(); err != nil {
			return
		}
		req, err := readRequest(c.br)
		if err != nil {
			if isProtocol(err) {
				c.refuse("", err)
			}
			return
		}
		c.tcp.SetReadDeadline(time.Time{})
		if req.method == http.MethodConnect {
			c.connect(ctx, req)
			return
		}
		ctx, cancel := context.WithTimeout(ctx, c.server.cfg.PayeeTimeout)
		status, body, err := c.handle(ctx, req)
		cancel()
		if err != nil {
			c.refuse(req.method, err)
			return
		}
		if c.answer(req.method, status, 0, body) != nil {
			return
		}
	}
}

// await waits for the first byte of a request: not for long if the connection
// has shown no pay stream.
func (c *conn) await() error {
	if c.br != nil && c.br.Buffered() > 0 {
		return c.tcp.SetReadDeadline(time.Now().Add(c.server.cfg.HeadTimeout))
	}
	c.release()
	deadline := time.Now().Add(c.server.cfg.HeadTimeout)
	if c.meter.Load() == nil {
		c.tcp.SetReadDeadline(deadline)
	}
	if _, err := arrived(c.tcp); err != nil {
		return err
	}
	if c.meter.Load() != nil {
		deadline = time.Now().Add(c.server.cfg.HeadTimeout)
	}
	c.br = readers.Get().(*bufio.Reader)
	c.br.Reset(c.tcp)
	return c.tcp.SetReadDeadline(deadline)
}

func (c *conn) release() {
	if c.br != nil {
		c.br.Reset(nil)
		readers.Put(c.br)
		c.br = nil
	}
}

// isProtocol reports whether the peer's words were wrong, not its connection.
func isProtocol(err error) bool {
	var h headError
	return errors.As(err, &h) || errors.Is(err, errHeadTooLarge) || errors.Is(err, errBodyTooLarge) || errors.Is(err, errVersion)
}

// handle answers every request but CONNECT.
func (c *conn) handle(ctx context.Context, req request) (status int, body any, err error) {
	payee := *c.server.payee.Load()
	switch req.path {
	case "/tops/v1/terms":
		if req.method != http.MethodGet {
			return 0, nil, errMethod
		}
		return http.StatusOK, newTermsBody(payee.Terms()), nil
	case "/tops/v1/paystreams":
		if req.method != http.MethodPost {
			return 0, nil, errMethod
		}
		return c.open(ctx, payee, req)
	case "/tops/v1/paystream":
		switch req.method {
		case http.MethodGet:
			return c.view(ctx, payee, req)
		case http.MethodDelete:
			return c.end(ctx, payee, req)
		}
		return 0, nil, errMethod
	case "/tops/v1/invoices":
		if req.method != http.MethodPost {
			return 0, nil, errMethod
		}
		return c.invoice(ctx, payee, req)
	}
	return 0, nil, errNotFound
}

// answer writes one answer. Its error means that the connection is of no more
// use.
func (c *conn) answer(method string, status int, retry time.Duration, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	c.server.cfg.Answered(method, status)
	out := make([]byte, 0, len(b)+256)
	out = append(out, "HTTP/1.1 "+strconv.Itoa(status)+" "+http.StatusText(status)+"\r\nContent-Type: application/json\r\nContent-Length: "...)
	out = append(strconv.AppendInt(out, int64(len(b)), 10), "\r\n"...)
	if retry > 0 {
		out = append(out, "Retry-After: "+strconv.Itoa(seconds(retry))+"\r\n"...)
	}
	if status == http.StatusProxyAuthRequired {
		out = append(out, "Proxy-Authenticate: Tops\r\n"...)
	}
	if status >= 300 {
		out = append(out, "Connection: close\r\n"...)
	}
	out = append(append(out, "\r\n"...), b...)
	c.tcp.SetWriteDeadline(time.Now().Add(c.server.cfg.HeadTimeout))
	_, err = c.tcp.Write(out)
	c.tcp.SetWriteDeadline(time.Time{})
	return err
}

// refuse answers an error, for the last time on this connection.
func (c *conn) refuse(method string, err error) {
	status, retry, body, ours := describe(err)
	if !ours {
		c.server.cfg.Failed(err)
	}
	c.server.stats.refuse(refusal(err, status, ours))
	if c.answer(method, status, retry, body) == nil {
		c.linger()
	}
}

// linger lets the peer read the answer before the connection goes: a close with
// bytes unread would reset it, and the answer with it.
func (c *conn) linger() {
	c.tcp.CloseWrite()
	c.tcp.SetReadDeadline(time.Now().Add(time.Second))
	io.CopyN(io.Discard, c.tcp, 2*maxBody)
}

// authorization reads a "Tops <payment_id_hash>".
func authorization(v string) (h paystream.PaymentIDHash, err error) {
	const scheme = "Tops "
	if len(v) < len(scheme) || v[:len(scheme)] != scheme {
		return h, paystream.ErrUnknown
	}
	if h, err = paystream.ParsePaymentIDHash(v[len(scheme):]); err != nil {
		return h, paystream.ErrUnknown
	}
	return h, nil
}
