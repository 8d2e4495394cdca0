package gateway

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/el-tor/tops/paystream"
)

// attach counts the connection to a pay stream from now on, and lets go of the
// one that it counted to. The rate of new connections is asked for tunnels
// only: a control connection changes from pay stream to pay stream as these
// follow each other.
func (s *Server) attach(c *conn, h paystream.Handle, tunnel bool) error {
	s.mu.RLock() // no Move or Stop meanwhile
	defer s.mu.RUnlock()
	m := s.by[h]
	for m != nil && m.next != nil {
		m = m.next
	}
	if m == nil {
		return paystream.ErrUnknown
	}
	if tunnel && s.paused != nil {
		return &paystream.Busy{RetryAfter: busyUnknown, Reason: "the relay cannot ask its lightning node"}
	}
	if old := c.meter.Load(); old != m {
		if err := s.add(m, c); err != nil {
			return err
		}
		old.remove(c)
		c.meter.Store(m)
	}
	if !tunnel {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.busyLocked()
	if b.rate == nil { // here and nowhere else: a connection may also have come by Move
		b.rate = rate.NewLimiter(rate.Limit(s.cfg.PayStreamRate), 2*s.cfg.PayStreamRate)
	}
	if !b.rate.Allow() {
		return &paystream.Busy{RetryAfter: time.Second, TooMany: true, Reason: "too many new connections a second"}
	}
	if m.used >= m.allowed {
		return errExhausted
	}
	return nil
}

// add gives the connection to the meter, if there is room.
func (s *Server) add(m *meter, c *conn) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopped {
		return paystream.ErrUnknown
	}
	b := m.busyLocked()
	if len(b.conns) >= s.cfg.PayStreamConns {
		return &paystream.Busy{RetryAfter: time.Second, TooMany: true, Reason: "too many connections of this pay stream"}
	}
	b.conns[c] = struct{}{}
	return nil
}

// remove lets go of the connection; m may be nil.
func (m *meter) remove(c *conn) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.busy != nil {
		delete(m.busy.conns, c)
	}
}

// detach is the end of attach.
func (s *Server) detach(c *conn) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c.meter.Swap(nil).remove(c)
}
