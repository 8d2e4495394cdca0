// Package bus hands what happens to whoever wants to hear of it. Publishing never
// waits: each subscriber has a queue of its own, and one that does not keep up
// loses the oldest entries, which it is told by their number.
package bus

import "sync"

// Backlog is how many entries wait for a slow subscriber before the oldest are
// dropped.
const Backlog = 4096

// Bus is a publisher of values. Its zero value is ready.
type Bus[T any] struct {
	mu   sync.Mutex
	subs map[*subscriber[T]]struct{}
}

type subscriber[T any] struct {
	mu      sync.Mutex
	queue   []T
	dropped int
	wake    chan struct{}
	gone    chan struct{}
}

// Publish hands v to every subscriber and returns at once.
func (b *Bus[T]) Publish(v T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.subs {
		s.push(v)
	}
}

// Subscribe calls hear for each value from now on, in order, from a goroutine of
// its own; dropped is how many were lost before it. cancel stops that and does
// not wait for a call that is under way.
func (b *Bus[T]) Subscribe(hear func(v T, dropped int)) (cancel func()) {
	s := &subscriber[T]{wake: make(chan struct{}, 1), gone: make(chan struct{})}
	b.mu.Lock()
	if b.subs == nil {
		b.subs = make(map[*subscriber[T]]struct{})
	}
	b.subs[s] = struct{}{}
	b.mu.Unlock()
	go s.run(hear)
	return sync.OnceFunc(func() {
		b.mu.Lock()
		delete(b.subs, s)
		b.mu.Unlock()
		close(s.gone)
	})
}

func (s *subscriber[T]) push(v T) {
	s.mu.Lock()
	if len(s.queue) == Backlog {
		s.queue = s.queue[1:]
		s.dropped++
	}
	s.queue = append(s.queue, v)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *subscriber[T]) run(hear func(T, int)) {
	for {
		select {
		case <-s.gone:
			return
		case <-s.wake:
		}
		s.mu.Lock()
		batch, dropped := s.queue, s.dropped
		s.queue, s.dropped = nil, 0
		s.mu.Unlock()
		for _, v := range batch {
			select {
			case <-s.gone:
				return
			default:
			}
			hear(v, dropped)
			dropped = 0
		}
	}
}
