package proxy

import (
	"github.com/el-tor/tops/controlspec"
)

// Access says what each controller may say and hear.
type Access interface {
	// Admit is asked once for each controller, before tor is reached. An error is
	// answered with a 510 in its words, and that is all.
	Admit(c Controller) (Guard, error)
}

// Guard holds one controller to what it may do. Command is called by one
// goroutine; Event, and what Command returned for replies, by another; the others
// by any.
type Guard interface {
	// Profile names what the controller is held to, which may change.
	Profile() string

	// Trusted lets the controller in without a cookie where we authenticate it.
	Trusted() bool

	// Pays reports whether circuits that the controller builds by EXTENDCIRCUIT 0
	// are offered to the Server's Upgrade.
	Pays() bool

	// Command judges a command with its data block. It returns what tor is to get,
	// raw itself if it may pass as it is; raw is valid during the call. An error
	// that is a *controlspec.ReplyError is answered instead, a 250 too. reply is
	// given each whole line of tor's reply, and returns what becomes of it, nothing
	// if it is left out; nil: the reply passes. ask asks tor for something short on
	// this connection, when everything before was answered.
	Command(raw []byte, ask func(cmd string) (controlspec.Reply, error)) (line []byte, reply func(controlspec.Line) []byte, err error)

	// Built is called with each circuit that TOPS built for the controller.
	Built(circID string)

	// Hears reports whether the controller may hear events of TOPS by this name now.
	Hears(event string) bool

	// FiltersEvents reports whether Event has anything to do at the moment.
	FiltersEvents() bool

	// Event is given each whole line of tor's events and returns what becomes of
	// it, nothing if it is left out.
	Event(controlspec.Line) []byte
}

// maxRewritten is the longest line of tor's that a Guard is given. Of a longer
// one only code and separator pass.
const maxRewritten = 1 << 20

// wholeLine puts the fragments of a line together.
type wholeLine struct {
	held []byte
	over bool
}

// add takes a fragment, or a line; ok: l is a whole line.
func (w *wholeLine) add(l controlspec.Line) (_ controlspec.Line, ok bool) {
	if l.Begin && l.EOL {
		return l, true
	}
	if w.over = w.over || len(w.held)+len(l.Raw) > maxRewritten; !w.over {
		w.held = append(w.held, l.Raw...)
	} else if len(w.held) > 4 {
		w.held = w.held[:4]
	}
	if !l.EOL {
		return l, false
	}
	l.Raw, l.Begin = w.held, true
	if w.over {
		l.Raw = append(l.Raw, '\r', '\n')
	}
	w.held, w.over = nil, false
	return l, true
}

func (w *wholeLine) pending() bool { return len(w.held) > 0 }

// rewriter gives tor's reply to a Guard's function, and what is left of it to
// another taker.
type rewriter struct {
	f    func(controlspec.Line) []byte
	next taker
	part wholeLine
}

func (r *rewriter) line(l controlspec.Line, out []byte) ([]byte, bool) {
	l, ok := r.part.add(l)
	if !ok {
		return out, false
	}
	raw := r.f(l)
	if len(raw) == 0 && !l.End {
		return out, false
	}
	if len(raw) > 0 {
		l.Raw = raw
	}
	return r.next.line(l, out)
}

// passer lets a reply pass.
type passer struct{}

func (passer) line(l controlspec.Line, out []byte) ([]byte, bool) {
	return append(out, l.Raw...), l.End
}
