package proxy

import (
	"sync"

	"github.com/el-tor/tops/controlspec"
)

const (
	chunkSmall = 4 << 10
	chunkLarge = 64 << 10
)

// chunks are the large read buffers; a session has one only while tor says much.
var chunks = sync.Pool{New: func() any { return new([chunkLarge]byte) }}

// carryReplies passes what tor says to the controller. The error is nil when
// tor closed its end, and the controller's when it cannot be written to.
func (s *session) carryReplies() error {
	var (
		f     = replyFilter{s: s, whole: true}
		small = make([]byte, chunkSmall)
		large *[chunkLarge]byte
		buf   = small
		kept  = 0 // bytes at the front of buf, too few to tell what they are
	)
	defer func() {
		if large != nil {
			chunks.Put(large)
		}
	}()
	for {
		n, err := s.tor.Read(buf[kept:])
		if n > 0 {
			p := buf[:kept+n]
			used, werr := f.filter(p)
			if werr != nil {
				return werr
			}
			kept = len(p) - used
			rest := p[used:]
			switch {
			case len(p) == len(buf) && large == nil:
				large = chunks.Get().(*[chunkLarge]byte)
				buf = large[:]
			case len(p) < chunkSmall/2 && large != nil:
				buf = small
			}
			copy(buf, rest)
			if len(p) < chunkSmall/2 && large != nil {
				chunks.Put(large)
				large = nil
			}
		}
		if err != nil { // however tor went, it is gone
			return s.out.pass(buf[:kept], -1, false)
		}
	}
}

// replyFilter follows tor's replies and events through one session.
type replyFilter struct {
	s     *session
	scan  controlspec.Scanner
	terms termsWriter
	guard bool      // events are given to the session's guard
	event wholeLine // for it, and for what is redacted
	whole bool      // what the controller has got ends a reply or event
	out   []byte    // for chunks that are not passed as they are
}

// filter passes the lines of p on and returns how much of p that was.
func (f *replyFilter) filter(p []byte) (used int, err error) {
	s := f.s
	s.mu.Lock()
	t, authAt, authed := s.taker, s.authAt, s.authed
	sent, answered := s.sent, s.answered
	s.mu.Unlock()

	if s.guard != nil && f.scan.Whole() {
		f.guard = s.guard.FiltersEvents()
	}
	changes := t != nil || f.guard || s.terms.Load() || f.terms.pending() || f.event.pending()
	out, cut, took := f.out[:0], -1, false
	for used < len(p) {
		l := f.scan.Next(p[used:])
		if len(l.Raw) == 0 {
			break
		}
		if !changes && mayTellWallet(l) {
			changes, out = true, append(out, p[:used]...)
		}
		used += len(l.Raw)
		if l.End && !l.Async && answered < sent { // a reply that nobody asked for is not counted
			answered++
			authed = authed || answered == authAt && l.Code == 250
		}
		if !changes {
			if f.whole = l.End; l.End && cut < 0 {
				cut = used
			}
			continue
		}
		before := len(out)
		switch {
		case l.Async && f.guard, mayTellWallet(l):
			if whole, ok := f.event.add(l); ok {
				out = f.tell(whole, out)
			}
		case l.Async:
			out = f.terms.line(s, l, out)
		case t != nil:
			var done bool
			if out, done = t.line(l, out); done {
				t, took, answered = nil, true, sent
			}
		default:
			out = append(out, l.Raw...)
		}
		if len(out) > before {
			if f.whole = l.End; l.End && cut < 0 {
				cut = len(out)
			}
		}
	}
	if !changes {
		out = p[:used]
	} else if f.out = out; cap(out) > 2*chunkLarge {
		f.out = nil
	}
	if err := s.out.pass(out, cut, f.whole); err != nil {
		return used, err
	}
	s.mu.Lock()
	if took {
		s.taker = nil
	}
	if s.answered != answered {
		s.answered, s.authed = answered, authed
		s.answer.Signal()
	}
	s.mu.Unlock()
	return used, nil
}

// tell is a line of an event as the controller may have it.
func (f *replyFilter) tell(l controlspec.Line, out []byte) []byte {
	if mayTellWallet(l) {
		l.Raw = withoutWallet(l)
	}
	if f.guard {
		l.Raw = f.s.guard.Event(l)
	}
	if len(l.Raw) == 0 {
		return out
	}
	return f.terms.line(f.s, l, out)
}
