package client

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// tunnel is one connection of an app through a gateway. It counts its bytes and
// remembers who spoke last.
type tunnel struct {
	net.Conn
	of   *circuit
	once sync.Once

	firstUp  atomic.Int64 // Unix nanoseconds of the first write, 0 for none
	lastUp   atomic.Int64 // of the last write
	lastDown atomic.Int64 // and of the last read
}

func (t *tunnel) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	if n > 0 {
		now := time.Now().UnixNano()
		if up := t.firstUp.Load(); t.lastDown.Swap(now) == 0 && up > 0 {
			t.of.firstByte(time.Duration(now - up))
		}
		t.of.count(n)
	}
	return n, err
}

func (t *tunnel) Write(p []byte) (int, error) {
	n, err := t.Conn.Write(p)
	if n > 0 {
		now := time.Now().UnixNano()
		t.firstUp.CompareAndSwap(0, now)
		t.lastUp.Store(now)
		t.of.count(n)
	}
	return n, err
}

func (t *tunnel) Close() error {
	err := t.Conn.Close()
	t.once.Do(func() { t.of.dropTunnel(t) })
	return err
}

const (
	// patience is how long a request counts as waited for: a server may be slow,
	// and a long poll is no bad service.
	patience = 10 * time.Second

	// inFlow is how long after its last byte a transfer still counts as running.
	inFlow = time.Second
)

// waiting reports whether the app is waiting for bytes: it has asked and has no
// answer, or a transfer is in full flow.
func (t *tunnel) waiting(now time.Time) bool {
	up, down := t.lastUp.Load(), t.lastDown.Load()
	since := func(at int64) time.Duration { return now.Sub(time.Unix(0, at)) }
	switch {
	case down > 0 && since(down) < inFlow:
		return true
	case up > down:
		return since(up) < patience
	default:
		return false
	}
}

// silent reports whether a transfer stopped that may not have been over: nobody
// has asked anything since.
func (t *tunnel) silent(now time.Time) bool {
	down := t.lastDown.Load()
	return down > 0 && down >= t.lastUp.Load() && now.Sub(time.Unix(0, down)) >= inFlow
}
