package gateway

import (
	"sync"

	"golang.org/x/time/rate"

	"github.com/el-tor/tops/paystream"
)

// meter counts one pay stream's bytes and holds its connections. A relay has
// one for each live pay stream, most of them idle: what only a busy one needs is
// behind a pointer.
type meter struct {
	mu      sync.Mutex
	allowed int64 // how much may be tunnelled in all
	used    int64 // how much was, what is being read this moment included
	stopped bool
	hasPaid bool   // known to have
	next    *meter // the pay stream that continues this one and has its connections
	busy    *busy  // nil until the first connection
}

// busy is the part of a meter that connections need, guarded by its mutex.
type busy struct {
	conns map[*conn]struct{}
	rate  *rate.Limiter // of new tunnels, nil before the first; it outlives them, or reconnecting would reset it
	wake  chan struct{} // closed when a tunnel that waits should look again; nil while none waits
	flow  flow          // its part of the uplink; guarded by that
}

// wakeLocked lets every waiting tunnel look again.
func (m *meter) wakeLocked() {
	if m.busy != nil && m.busy.wake != nil {
		close(m.busy.wake)
		m.busy.wake = nil
	}
}

// take reserves up to n bytes, of the pay stream that continues this one if
// there is one; it returns the meter that it took them from. When there is
// nothing to take it returns a channel on which to wait, and nil when there will
// never be anything.
func (m *meter) take(n int64) (from *meter, got int64, wait <-chan struct{}) {
	m.mu.Lock()
	if next := m.next; next != nil {
		m.mu.Unlock()
		return next.take(n)
	}
	defer m.mu.Unlock()
	if m.stopped {
		return m, 0, nil
	}
	if got = min(n, m.allowed-m.used); got > 0 {
		m.used += got
		return m, got, nil
	}
	b := m.busyLocked()
	if b.wake == nil {
		b.wake = make(chan struct{})
	}
	return m, 0, b.wake
}

// paid reports whether the pay stream, or the one that continues it, may tunnel
// more than is free: something was paid for it then.
func (m *meter) paid(freeBytes func() int64) bool {
	m.mu.Lock()
	known, allowed := m.hasPaid || m.next != nil, m.allowed
	m.mu.Unlock()
	if known {
		return true
	}
	if allowed <= freeBytes() { // asks the payee: under no lock
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hasPaid = true
	return true
}

func (m *meter) busyLocked() *busy {
	if m.busy == nil {
		m.busy = &busy{conns: make(map[*conn]struct{})}
	}
	return m.busy
}

// giveBack returns what was taken and not read.
func (m *meter) giveBack(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used -= n
	m.wakeLocked()
}

// flow is the meter's part of the uplink.
func (m *meter) flow() *flow {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &m.busyLocked().flow
}

// meters is the engine's hold on the gateway: a [paystream.Carrier].
type meters struct {
	mu     sync.RWMutex // held for writing while connections change from one meter to another
	by     map[paystream.Handle]*meter
	paused chan struct{} // closed when the pause ends; nil when there is none

	cutting sync.WaitGroup
}

// Allow sets how many bytes the pay stream may tunnel in all, and makes it
// known: the engine calls it before the first connection of a pay stream is
// authorised.
func (s *meters) Allow(h paystream.Handle, bytes int64) {
	s.mu.Lock()
	m := s.makeLocked(h)
	s.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.allowed = bytes
	m.wakeLocked()
}

func (s *meters) makeLocked(h paystream.Handle) *meter {
	m := s.by[h]
	if m == nil {
		m = new(meter)
		s.by[h] = m
	}
	return m
}

// Stop cuts every connection of the pay stream and forgets its count: whoever
// wants to keep [meters.Used] asks before.
func (s *meters) Stop(h paystream.Handle, _ paystream.Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.by[h]
	if m == nil {
		return
	}
	delete(s.by, h)
	m.mu.Lock()
	m.stopped = true
	m.wakeLocked()
	var conns map[*conn]struct{}
	if m.busy != nil {
		conns, m.busy.conns = m.busy.conns, nil
	}
	m.mu.Unlock()
	if len(conns) > 0 {
		s.cutting.Go(func() { // the engine holds its lock: closing sockets can be done without it
			for c := range conns {
				c.cut()
			}
		})
	}
}

// Move gives the open connections of old to new.
func (s *meters) Move(old, new paystream.Handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.by[old]
	if from == nil || old == new {
		return
	}
	to := s.makeLocked(new)
	for m := to; m != nil; m = m.next {
		if m == from { // they went the other way: a circle would have no end
			return
		}
	}
	from.mu.Lock()
	var conns map[*conn]struct{}
	if from.busy != nil {
		conns, from.busy.conns = from.busy.conns, nil
	}
	for c := range conns {
		c.meter.Store(to)
	}
	from.next = to
	from.wakeLocked()
	from.mu.Unlock()

	to.mu.Lock()
	defer to.mu.Unlock()
	for c := range conns {
		to.busyLocked().conns[c] = struct{}{}
	}
}

// Used is how many bytes the pay stream has tunnelled; 0 if it is not known,
// or was stopped.
func (s *meters) Used(h paystream.Handle) int64 {
	m := s.get(h)
	if m == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// Pause stops all reading and all new tunnels, or lets them go on.
func (s *meters) Pause(paused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case paused && s.paused == nil:
		s.paused = make(chan struct{})
	case !paused && s.paused != nil:
		close(s.paused)
		s.paused = nil
	}
}

// pause returns the channel that ends a pause, nil if there is none.
func (s *meters) pause() <-chan struct{} {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.paused
}

func (s *meters) get(h paystream.Handle) *meter {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.by[h]
}
