package tor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// A StreamConn is a TCP stream through a circuit: a connection to tor's
// SocksPort. What is written before tor has answered travels with the request.
//
// There is no half-close: tor ends a stream, both ways, when either side does.
type StreamConn struct {
	net.Conn
	attacher *Attacher
	stream   *stream

	reading sync.Mutex // held while tor's answer is read
	answer  []byte     // of it, what has come
	through bool
	failure error
}

// socksErrors are the reply codes of RFC 1928 §6, as tor uses them.
var socksErrors = map[byte]string{
	1: "general failure", 2: "not allowed", 3: "network unreachable", 4: "host unreachable",
	5: "connection refused", 6: "TTL expired", 7: "command not supported", 8: "address type not supported",
}

// request speaks SOCKS5 (RFC 1928) with a username (RFC 1929) up to and with
// the CONNECT, whose answer is left for later.
func (c *StreamConn) request(ctx context.Context, host string, port uint16) error {
	if host == "" || len(host) > 255 {
		return fmt.Errorf("host name of %d bytes", len(host))
	}
	stop := c.bound(ctx)
	err := greet(c.Conn, c.stream.username, "x") // tor wants a password; it means nothing
	if err == nil {
		connect := append([]byte{5, 1, 0, 3, byte(len(host))}, host...)
		_, err = c.Conn.Write(append(connect, byte(port>>8), byte(port)))
	}
	if ctxErr := stop(); ctxErr != nil {
		return ctxErr
	}
	if err != nil {
		return fmt.Errorf("tor's SocksPort: %w", err)
	}
	return nil
}

// greet shows a user name and a password (RFC 1928 §3, RFC 1929). tor wants both,
// and neither empty: an empty pair is said as no authentication.
func greet(conn net.Conn, user, password string) error {
	method := byte(2)
	if user == "" && password == "" {
		method = 0
	}
	var answer [2]byte
	if _, err := conn.Write([]byte{5, 1, method}); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return err
	}
	if answer != [2]byte{5, method} {
		return errors.New("it takes no username")
	}
	if method == 0 {
		return nil
	}
	auth := append([]byte{1, byte(len(user))}, user...)
	auth = append(append(auth, byte(len(password))), password...)
	if _, err := conn.Write(auth); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return err
	}
	if answer != [2]byte{1, 0} {
		return errors.New("it refused the username")
	}
	return nil
}

// bound makes the connection's operations end with ctx, until stop is called.
func (c *StreamConn) bound(ctx context.Context) (stop func() error) {
	release := context.AfterFunc(ctx, func() { c.Conn.SetDeadline(time.Unix(1, 0)) })
	return func() error {
		if !release() { // the deadline was, or is being, set
			return context.Cause(ctx)
		}
		return nil
	}
}

// Connected waits until the stream has come through, or says why it did not.
// When ctx ends first the connection cannot be used any more.
func (c *StreamConn) Connected(ctx context.Context) error {
	stop := c.bound(ctx)
	err := c.arrive()
	if ctxErr := stop(); ctxErr != nil {
		return ctxErr
	}
	return err
}

// Read waits for the stream to come through, then reads. An error of the
// stream is tor's reason, a [*StreamError] mostly.
func (c *StreamConn) Read(p []byte) (int, error) {
	if err := c.arrive(); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// arrive reads tor's answer to the CONNECT, once. After a deadline it can be
// called again.
func (c *StreamConn) arrive() error {
	c.reading.Lock()
	defer c.reading.Unlock()
	if c.through || c.failure != nil {
		return c.failure
	}
	for len(c.answer) < answerSize(c.answer) {
		var more [32]byte
		n, err := c.Conn.Read(more[:answerSize(c.answer)-len(c.answer)])
		c.answer = append(c.answer, more[:n]...)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return err
		}
		if err != nil {
			c.failure = c.explain(err)
			return c.failure
		}
	}
	if c.answer[0] != 5 {
		c.failure = errors.New("tor's SocksPort: the answer is not SOCKS5")
		return c.failure
	}
	if code := c.answer[1]; code != 0 {
		c.failure = c.explain(SocksError(code))
		return c.failure
	}
	c.through, c.answer = true, nil
	c.stream.succeed() // its event may come later, or never if the control connection is lost
	return nil
}

// answerSize is how long tor's answer will be, or how much of it must be known
// to tell. tor gives an IPv4 address always.
func answerSize(have []byte) int {
	const fixed, ipv4, ipv6, port = 4, 4, 16, 2
	if len(have) < fixed {
		return fixed
	}
	if have[3] == 4 {
		return fixed + ipv6 + port
	}
	return fixed + ipv4 + port
}

// Close ends the stream.
func (c *StreamConn) Close() error {
	c.attacher.forget(c.stream)
	return c.Conn.Close()
}
