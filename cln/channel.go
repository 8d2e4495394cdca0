package cln

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"time"
)

// An answer may be so long: listinvoices of a busy node is many megabytes, and never asked for here.
const maxAnswer = 64 << 20

// A node that does not read its socket for so long is taken for dead.
const sendTimeout = 5 * time.Second

// wire is jrpc2's channel.Channel to lightningd: JSON values one after the other, nothing between them but white space.
type wire struct {
	conn  net.Conn
	limit *io.LimitedReader
	dec   *json.Decoder
	buf   json.RawMessage
}

func newWire(conn net.Conn) *wire {
	limit := &io.LimitedReader{R: conn}
	return &wire{conn: conn, limit: limit, dec: json.NewDecoder(limit)}
}

// sendError is a failure to write a request. If some of it was written the node may have read it.
type sendError struct {
	err     error
	written bool
}

func (e *sendError) Error() string { return e.err.Error() }
func (e *sendError) Unwrap() error { return e.err }

func (w *wire) Send(msg []byte) error {
	_ = w.conn.SetWriteDeadline(time.Now().Add(sendTimeout)) // a closed connection fails below
	n, err := w.conn.Write(plainText(msg))
	if err != nil {
		return &sendError{err, n > 0}
	}
	return nil
}

func (w *wire) Recv() ([]byte, error) {
	w.limit.N = maxAnswer
	w.buf = w.buf[:0]
	if err := w.dec.Decode(&w.buf); err != nil {
		if w.limit.N <= 0 {
			err = fmt.Errorf("an answer of more than %d bytes", maxAnswer)
		}
		return nil, err
	}
	return w.buf, nil
}

func (w *wire) Close() error { return w.conn.Close() }

// plainText takes back what encoding/json escapes for HTML's sake. lightningd stores most strings as they stand between
// their quotes, and refuses some with \u in them.
func plainText(msg []byte) []byte {
	if !bytes.Contains(msg, []byte(`\u`)) {
		return msg
	}
	out := make([]byte, 0, len(msg))
	for i := 0; i < len(msg); i++ {
		if msg[i] != '\\' || i+1 == len(msg) {
			out = append(out, msg[i])
			continue
		}
		if c, ok := escaped[string(msg[i:min(i+6, len(msg))])]; ok {
			out = append(out, c...)
			i += 5
			continue
		}
		out = append(out, msg[i], msg[i+1]) // so that the second of two backslashes begins nothing
		i++
	}
	return out
}

var escaped = map[string]string{`\u003c`: "<", `\u003e`: ">", `\u0026`: "&", `\u2028`: "\u2028", `\u2029`: "\u2029"}
