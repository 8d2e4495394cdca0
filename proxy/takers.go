package proxy

import (
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// taker handles the lines of tor's next replies. It appends to out what the
// controller is to see, and is done when everything sent has been answered.
type taker interface {
	line(l controlspec.Line, out []byte) (_ []byte, done bool)
}

// gatherer keeps a reply from the controller.
type gatherer struct {
	raw  []byte
	full bool
}

const maxGathered = 1 << 20

func (g *gatherer) line(l controlspec.Line, out []byte) ([]byte, bool) {
	if g.full = g.full || len(g.raw)+len(l.Raw) > maxGathered; !g.full {
		g.raw = append(g.raw, l.Raw...)
	}
	return out, l.End
}

// syncer finds out where tor's replies stand, when counting them does not tell:
// it waits for the answer to a key that nobody knows, and keeps it from the
// controller. tor 0.4.9 answers nothing to an HSPOST without HSADDRESS.
type syncer struct {
	held []byte // may become the answer
}

const (
	syncKey    = "tops/sync"
	syncAnswer = `552 Unrecognized key "` + syncKey + "\"\r\n"
)

var syncCommand = []byte("GETINFO " + syncKey + "\r\n")

func (y *syncer) line(l controlspec.Line, out []byte) ([]byte, bool) {
	if !l.Begin && len(y.held) == 0 || l.Data {
		return append(out, l.Raw...), false
	}
	y.held = append(y.held, l.Raw...)
	if string(y.held) == syncAnswer {
		return out, true
	}
	if !strings.HasPrefix(syncAnswer, string(y.held)) {
		out = append(out, y.held...)
		y.held = y.held[:0]
	}
	return out, false
}

// splicer puts our lines between tor's. tor answers each key with one line, or
// one line and a data block, in the order asked; or all of them with an error.
type splicer struct {
	before [][]byte // before tor's n-th answer
	after  []byte   // after the last, before the final line
	n      int
}

func (sp *splicer) line(l controlspec.Line, out []byte) ([]byte, bool) {
	if l.Begin && !l.Data && !l.Dot && l.Code == 250 {
		switch {
		case l.Sep == ' ':
			out = append(out, sp.after...)
		case sp.n < len(sp.before):
			out = append(out, sp.before[sp.n]...)
			sp.n++
		}
	}
	return append(out, l.Raw...), l.End
}
