package tor

import (
	"strings"
	"sync"
)

// A stream is one connection of ours.
type stream struct {
	username string
	circuit  string
	hop      int // 0: the last
	abort    func()
	ended    chan struct{} // closed when tor has said how it failed or ended

	mu        sync.Mutex // guards what follows
	id        string     // tor's, when it is known
	succeeded bool
	err       error
}

// A StreamError is how tor says that a stream failed (control-spec §4.1.2):
// END with the relay's reason (EXITPOLICY, CONNECTREFUSED, …), TIMEOUT,
// DESTROY, …
type StreamError struct {
	Status       string // DETACHED, FAILED or CLOSED
	Reason       string
	RemoteReason string // the relay's, when Reason is END
}

func (e *StreamError) Error() string {
	switch {
	case e.RemoteReason == "EXITPOLICY":
		return "refused by the relay's exit policy (EXITPOLICY)"
	case e.RemoteReason != "":
		return "ended by the relay: " + e.RemoteReason
	}
	return "stream " + strings.ToLower(e.Status) + ": " + e.Reason
}

// is reports whether an event's id can be this stream's.
func (s *stream) is(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id == "" || s.id == id
}

func (s *stream) succeed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.succeeded = true
}

// end notes why a stream failed; the first reason stays.
func (s *stream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
		close(s.ended)
	}
}

// claim reports whether a stream of tor's may be attached: one that waits for
// the first time. Other controllers see the username in STREAM events; it is
// worth nothing for a second stream.
func (s *stream) claim(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || s.id != "" {
		return false
	}
	s.id = id
	return true
}

func (s *stream) pending() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err == nil && !s.succeeded
}

func (s *stream) reason() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
