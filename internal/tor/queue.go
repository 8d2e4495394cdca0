package tor

import (
	"context"
	"sync"

	"github.com/el-tor/tops/controlspec"
)

// eventQueue lies between the reader of a connection, which must never wait,
// and the handler of its events, which may. It is bounded in bytes.
type eventQueue struct {
	limit int
	ready chan struct{} // holds a token when there is something to take

	mu     sync.Mutex // guards what follows
	events []controlspec.Reply
	size   int
	closed bool
}

func (q *eventQueue) init(limit int) {
	q.limit = limit
	q.ready = make(chan struct{}, 1)
}

// put adds an event; false when there is no room.
func (q *eventQueue) put(e controlspec.Reply) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.size += eventSize(e); q.size > q.limit {
		return false
	}
	q.events = append(q.events, e)
	q.wake()
	return true
}

// take waits for an event; ok is false when the queue is closed and empty.
func (q *eventQueue) take(ctx context.Context) (e controlspec.Reply, ok bool, err error) {
	for {
		q.mu.Lock()
		if len(q.events) > 0 {
			defer q.mu.Unlock()
			e, q.events = q.events[0], q.events[1:]
			q.size -= eventSize(e)
			return e, true, nil
		}
		closed := q.closed
		q.mu.Unlock()
		if closed {
			return e, false, nil
		}
		select {
		case <-q.ready:
		case <-ctx.Done():
			return e, false, context.Cause(ctx)
		}
	}
}

func (q *eventQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.wake()
}

func (q *eventQueue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// eventSize is about what an event occupies.
func eventSize(e controlspec.Reply) int {
	n := 64
	for _, l := range e.Lines {
		n += 64 + len(l.Text) + len(l.Data)
	}
	return n
}
