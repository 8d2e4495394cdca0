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
	of     *circuit
	target string // for [slowTargets] alone
	once   sync.Once

	firstUp  atomic.Int64 // Unix nanoseconds of the first write, 0 for none
	lastUp   atomic.Int64 // of the last write
	lastDown atomic.Int64 // of the last read
	lastBulk atomic.Int64 // and of the last one that was a part of more than a message
	burst    int          // bytes that came without a pause; the reader's
}

func (t *tunnel) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	if n > 0 {
		now := time.Now().UnixNano()
		before := t.lastDown.Swap(now)
		if up := t.firstUp.Load(); before == 0 && up > 0 {
			t.of.firstByte(time.Duration(now - up))
		}
		t.flow(before, now, n)
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

	// inFlow is how long a transfer that goes on may pause.
	inFlow = 2 * time.Second

	// stopped is how long nothing has come of a transfer that may be stuck.
	stopped = time.Second

	// bulk is less than what a cell of tor's carries (498 bytes, or a few less): where
	// bytes have to wait for each other they come in full cells. pause is what
	// separates one message from the next.
	bulk  = 480
	pause = 20 * time.Millisecond
)

// awaited reports whether the app has asked and has no answer yet.
func (t *tunnel) awaited(now time.Time) bool {
	up := t.lastUp.Load()
	return up > t.lastDown.Load() && now.Sub(time.Unix(0, up)) < patience
}

// flow notes what a read of n bytes shows of a transfer's pace: from one full cell to
// the next the app waited for bytes, if it has asked for nothing else between. A
// connection that has carried more and now carries small messages, as an answer does
// that is written while one reads it, or the ticks of a clock, goes at its server's pace.
func (t *tunnel) flow(before, now int64, n int) {
	if time.Duration(now-before) > pause {
		t.burst = 0
	}
	t.burst += n
	from, full := t.lastBulk.Load(), t.burst >= bulk
	if from == 0 { // it may never see a full one
		from, full = before, true
	}
	if full && from > 0 && from >= t.lastUp.Load() && time.Duration(now-from) < inFlow {
		t.of.waitedFor(t.target, from, now)
	}
	if t.burst >= bulk {
		t.lastBulk.Store(now)
	}
}

// flowing reports whether a transfer is under way whose pace the relay answers for.
func (t *tunnel) flowing(now time.Time) bool {
	since := func(at int64) time.Duration { return now.Sub(time.Unix(0, at)) }
	down, full := t.lastDown.Load(), t.lastBulk.Load()
	return down > 0 && down >= t.lastUp.Load() && since(down) < inFlow && (full == 0 || since(full) < inFlow)
}

// unanswered is how long the app has waited for its first byte; 0 if it does not.
func (t *tunnel) unanswered(now time.Time) time.Duration {
	up := t.firstUp.Load()
	if up == 0 || t.lastDown.Load() > 0 {
		return 0
	}
	return now.Sub(time.Unix(0, up))
}

// silent reports whether nothing has moved for a moment: a transfer stopped that may not
// have been over, or a question is not answered. Then the relay is asked whether it is
// still there.
func (t *tunnel) silent(now time.Time) bool {
	last := max(t.lastUp.Load(), t.lastDown.Load())
	return last > 0 && now.Sub(time.Unix(0, last)) >= stopped
}
