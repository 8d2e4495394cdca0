package proxy

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// maxCircLine is the longest CIRC event that gets terms; tor's have some
// hundred bytes.
const maxCircLine = 16 << 10

// termsWriter puts the terms of paid hops into CIRC EXTENDED and BUILT events.
// It holds an event's line back until it is complete.
type termsWriter struct {
	held []byte
	skip bool // the rest of this line passes
}

func (w *termsWriter) pending() bool { return len(w.held) > 0 || w.skip }

// line appends to out what becomes of one line, or fragment, of an event.
func (w *termsWriter) line(s *session, l controlspec.Line, out []byte) []byte {
	if l.Begin && !l.EOL && !l.Data && !l.Dot && l.Sep == ' ' || len(w.held) > 0 {
		w.held = append(w.held, l.Raw...)
		switch {
		case l.EOL:
			l.Raw, l.Begin = w.held, true
			out = w.event(s, l, out)
			w.held = w.held[:0]
		case len(w.held) > maxCircLine:
			out = append(out, w.held...)
			w.held, w.skip = w.held[:0], true
		}
		return out
	}
	if w.skip || !l.Begin || !l.EOL || l.Data || l.Dot || l.Sep != ' ' {
		w.skip = w.skip && !l.EOL
		return append(out, l.Raw...)
	}
	return w.event(s, l, out)
}

func (w *termsWriter) event(s *session, l controlspec.Line, out []byte) []byte {
	text, isCirc := bytes.CutPrefix(l.Text(), []byte("CIRC "))
	if !isCirc || s.srv.Terms == nil {
		return append(out, l.Raw...)
	}
	f := strings.SplitN(string(text), " ", 3)
	if len(f) < 2 || f[1] != "EXTENDED" && f[1] != "BUILT" {
		return append(out, l.Raw...)
	}
	eol := l.Raw[len(bytes.TrimRight(l.Raw, "\r\n")):]
	out = append(out, l.Raw[:len(l.Raw)-len(eol)]...)
	for _, h := range s.srv.Terms.CircuitTerms(f[0]) {
		out = append(out, " "+featureTerms+"_"+strconv.Itoa(h.Hop)+"="...)
		out = controlspec.AppendQuote(out, h.Terms)
	}
	return append(out, eol...)
}
