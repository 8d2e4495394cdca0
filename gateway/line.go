package gateway

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// line is the client's control connection. Somebody always reads from it, so
// that its end is noticed when it comes and not when it is needed.
type line struct {
	conn    net.Conn
	asked   atomic.Bool   // a request is out, its answer is not in
	answers chan response // holds one
	dead    chan struct{} // closed at the end, when err is set
	once    sync.Once
	err     error
}

var errUnasked = errors.New("the relay answered what nobody asked")

func newLine(conn net.Conn) *line {
	l := &line{conn: conn, answers: make(chan response, 1), dead: make(chan struct{})}
	go l.read()
	return l
}

// read delivers answers until the connection ends, or is of no more use: after
// any answer but 2xx the relay closes it.
func (l *line) read() {
	br := bufio.NewReaderSize(l.conn, maxHead)
	for {
		r, err := readResponse(br, false)
		if err == nil && !l.asked.CompareAndSwap(true, false) {
			err = errUnasked
		}
		if err != nil {
			l.close(err)
			return
		}
		l.answers <- r
		if r.status >= 300 {
			l.close(io.EOF)
			return
		}
	}
}

// ask writes a request and waits for its answer. If that takes longer than ctx
// allows, the connection is closed: an answer that comes later would be taken
// for the next one's.
func (l *line) ask(ctx context.Context, request []byte) (response, error) {
	defer context.AfterFunc(ctx, func() { l.close(ctx.Err()) })()
	l.asked.Store(true)
	if _, err := l.conn.Write(request); err != nil {
		l.close(err)
	}
	select {
	case r := <-l.answers:
		return r, nil
	case <-l.dead:
	}
	select {
	case r := <-l.answers: // the answer first, then the end
		return r, nil
	default:
		return response{}, l.err
	}
}

func (l *line) alive() bool {
	select {
	case <-l.dead:
		return false
	default:
		return true
	}
}

func (l *line) close(err error) {
	l.once.Do(func() {
		l.err = err
		l.conn.Close()
		close(l.dead)
	})
}
