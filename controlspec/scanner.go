package controlspec

import "bytes"

// Line is one line that tor sent, or a fragment of one that is longer than the
// buffer it was found in. The fields other than Raw are known from the first
// fragment on.
type Line struct {
	Raw   []byte // as it came, with the line's end if EOL
	Code  int    // three digits; in a data block those of the line that opened it; 0: malformed
	Sep   byte   // '-', '+' or ' '; in a data block '+'
	Data  bool   // Raw is content of a data block, still dot-stuffed
	Dot   bool   // Raw is the lone dot that ends a data block
	Async bool   // it belongs to an event, not to a reply
	Begin bool   // Raw begins the line
	EOL   bool   // Raw ends the line
	End   bool   // Raw ends the reply or event
}

// Text is what follows the code and separator, or the content of a data line
// with its dot-stuffing undone; without the line's end.
func (l Line) Text() []byte {
	t := trimEOL(l.Raw)
	switch {
	case l.Dot:
		return nil
	case l.Data:
		if l.Begin && len(t) > 0 && t[0] == '.' {
			t = t[1:]
		}
	case l.Begin && l.Code != 0:
		t = t[min(4, len(t)):]
	}
	return t
}

// Scanner cuts tor's side of a control connection into lines (control-spec
// §2.3). It keeps a few bytes of state and no input. The zero value stands at
// the beginning of a connection.
type Scanner struct {
	line Line // of the line that a fragment left open
	open bool // the last Raw did not end its line
	data bool // inside a data block
	busy bool // inside a reply or event
}

// Whole reports whether the scanner stands between replies and events, where
// something else may be said.
func (s *Scanner) Whole() bool { return !s.busy }

// Next returns the first line of p, or all of p as a fragment. Raw is a prefix
// of p; it is empty if p is too short to tell what the line is, and the caller
// calls again with more.
func (s *Scanner) Next(p []byte) Line {
	if len(p) == 0 {
		return Line{}
	}
	end := bytes.IndexByte(p, '\n') + 1
	if !s.open {
		if !s.begin(p, end) {
			return Line{}
		}
	} else {
		s.line.Begin = false
	}
	l := &s.line
	if end == 0 {
		l.Raw, l.EOL, l.End, s.open, s.busy = p, false, false, true, true
		return *l
	}
	l.Raw, l.EOL, s.open = p[:end], true, false
	switch {
	case l.Dot:
		s.data, l.End = false, false
	case l.Data:
		l.End = false
	default:
		s.data = l.Sep == '+'
		l.End = l.Sep != '+' && l.Sep != '-'
	}
	s.busy = !l.End
	return *l
}

// begin sets s.line for the line that p begins; false: p is too short.
func (s *Scanner) begin(p []byte, end int) bool {
	l := &s.line
	if s.data {
		if end == 0 && p[0] == '.' && len(p) < 3 {
			return false
		}
		l.Dot = end > 0 && isDot(p[:end])
		l.Data = !l.Dot
		l.Begin = true
		return true
	}
	if end == 0 && len(p) < 4 {
		return false
	}
	*l = Line{Begin: true, Async: s.busy && l.Async}
	if len(p) < 4 || !digit(p[0]) || !digit(p[1]) || !digit(p[2]) {
		return true
	}
	l.Code = int(p[0]-'0')*100 + int(p[1]-'0')*10 + int(p[2]-'0')
	if l.Sep = p[3]; l.Sep == '\r' || l.Sep == '\n' {
		l.Sep = ' ' // "250" and nothing else
	}
	l.Async = p[0] == '6'
	return true
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// isDot reports whether raw is the line that ends a data block. tor takes LF
// alone for a line's end, as everywhere.
func isDot(raw []byte) bool {
	return len(raw) >= 2 && raw[0] == '.' && (raw[1] == '\n' || len(raw) == 3 && raw[1] == '\r')
}

func trimEOL(raw []byte) []byte {
	if n := len(raw); n > 0 && raw[n-1] == '\n' {
		raw = raw[:n-1]
		if n > 1 && raw[n-2] == '\r' {
			raw = raw[:n-2]
		}
	}
	return raw
}
