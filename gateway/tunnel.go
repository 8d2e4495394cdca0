package gateway

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// chunk is the most that moves between two looks at the meter: what the kernel
// splices at once.
const chunk = 1 << 20

// tunnel is a connection after its CONNECT was accepted.
type tunnel struct {
	*conn
	target  *net.TCPConn
	moved   atomic.Bool  // since the idle timer last looked
	waiting atomic.Int32 // directions that wait for the allowance to rise
}

// run moves bytes both ways until both ends have finished, one fails, the pay
// stream is stopped, or nothing has moved for the idle time. first are the bytes
// that came with the head.
func (t *tunnel) run(first []byte, idle time.Duration) {
	var timer *time.Timer
	timer = time.AfterFunc(idle, func() {
		if !t.moved.Swap(false) && t.waiting.Load() == 0 {
			t.cut()
			return
		}
		timer.Reset(idle)
	})
	defer timer.Stop()

	var down sync.WaitGroup
	down.Go(func() { t.finish(t.copy(t.tcp, t.target), t.tcp) })
	err := t.send(first)
	if err == nil {
		err = t.copy(t.target, t.tcp)
	}
	t.finish(err, t.target)
	down.Wait()
}

// finish passes the end of one direction on: the end of a stream as such, a
// failure to both ends.
func (t *tunnel) finish(err error, dst *net.TCPConn) {
	if err == io.EOF {
		err = dst.CloseWrite()
	}
	if err != nil {
		t.cut()
	}
}

// copy moves bytes from src to dst. It returns io.EOF at the end of the stream,
// never nil.
func (t *tunnel) copy(dst, src *net.TCPConn) error {
	var from io.LimitedReader // one for the whole copy, and of a kind that ReadFrom can splice
	for {
		n, err := arrived(src)
		if err != nil {
			return err
		}
		m, n := t.takeTurn(min(n, chunk))
		if n == 0 {
			return net.ErrClosed
		}
		from = io.LimitedReader{R: src, N: n}
		_, err = dst.ReadFrom(&from)
		t.server.stats.tunnelled.Add(n - from.N)
		if from.N > 0 {
			m.giveBack(from.N)
		}
		if err != nil {
			return err
		}
	}
}

// send passes bytes on that were read with the head.
func (t *tunnel) send(b []byte) error {
	for len(b) > 0 {
		_, n := t.takeTurn(int64(len(b)))
		if n == 0 {
			return net.ErrClosed
		}
		if _, err := t.target.Write(b[:n]); err != nil {
			return err
		}
		t.server.stats.tunnelled.Add(n)
		b = b[n:]
	}
	return nil
}

// takeTurn is take, and then waits for the pay stream's turn if the uplink is
// limited.
func (t *tunnel) takeTurn(n int64) (*meter, int64) {
	u := t.server.uplink
	if u == nil {
		return t.take(n)
	}
	m, n := t.take(min(n, u.quantum))
	if n == 0 {
		return m, 0
	}
	given := u.take(t.server.flow(m), n, t.done)
	if given < n {
		m.giveBack(n - given)
	}
	t.moved.Store(true)
	return m, given
}

// take reserves up to n bytes from the meter of the pay stream that the tunnel
// belongs to now, and waits for them if it must. It returns 0 when the tunnel is
// over.
func (t *tunnel) take(n int64) (*meter, int64) {
	t.moved.Store(true)
	for {
		wait := t.server.pause()
		m := t.meter.Load()
		if wait == nil {
			if m == nil {
				return nil, 0
			}
			var got int64
			if m, got, wait = m.take(n); wait == nil {
				return m, got
			}
		}
		t.waiting.Add(1)
		select {
		case <-wait:
		case <-t.done:
		}
		t.waiting.Add(-1)
		select {
		case <-t.done:
			return nil, 0
		default:
		}
		t.moved.Store(true)
	}
}
