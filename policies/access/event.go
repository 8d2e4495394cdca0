package access

import (
	"bytes"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// hearing is where Event stands.
type hearing struct {
	inside bool // behind the first line of an event
	drop   bool // the whole of it
	rule   *eventRule
}

// FiltersEvents reports whether Event has anything to do. It may change with a
// reload of the policy.
func (g *Guard) FiltersEvents() bool {
	p := g.inForce()
	return p.filters || p != g.admitted
}

// Event is given each line of tor's events and returns what becomes of it;
// nothing: it is left out.
func (g *Guard) Event(l controlspec.Line) []byte {
	p := g.inForce()
	if !g.cur.inside {
		name := firstWord(l.Text())
		g.cur.rule = p.events[strings.ToUpper(name)]
		g.cur.drop = g.cur.rule == nil || g.cur.rule.suppress
		if !g.cur.drop {
			l.Raw = g.owned(p, name, l)
			g.cur.drop = len(l.Raw) == 0
		}
		if !g.cur.drop && len(g.cur.rule.rewrites) > 0 {
			// One that is replaced by nothing is not heard.
			text := string(bytes.TrimRight(l.Raw, "\r\n"))
			g.cur.drop = strings.TrimSpace(rewriteText(g.cur.rule.rewrites, text, g.id)) == ""
		}
	}
	g.cur.inside = !l.End
	switch {
	case g.cur.drop:
		return nil
	case g.cur.rule.redact:
		return redactLine(l)
	}
	if len(g.cur.rule.rewrites) > 0 {
		return rewriteLine(g.cur.rule.rewrites, l, g.id)
	}
	return l.Raw
}

// owned returns the line if it is about a circuit or stream of the controller's.
// In tor-browser-mode the end of any circuit is told, and nothing but that: the
// browser forgets what it knew of it.
func (g *Guard) owned(p *Profile, name string, l controlspec.Line) []byte {
	text := string(l.Text())
	own := g.cur.rule.own
	switch {
	case name == "STREAM" && (own || p.browser):
		if !g.own.stream(text) {
			return nil
		}
	case name == "CIRC" && p.browser:
		f := strings.Fields(text)
		if len(f) < 3 || f[2] != "CLOSED" {
			return nil
		}
		return []byte("650 CIRC " + f[1] + " CLOSED\r\n")
	case own:
		if !g.ownEvent(name, text) {
			return nil
		}
	}
	return l.Raw
}

func (g *Guard) ownEvent(name, text string) bool {
	ev, err := controlspec.ParseEvent(text)
	if err != nil {
		return false
	}
	id := ev.Keywords["ID"]
	if len(ev.Words) > 0 {
		id = ev.Words[0]
	}
	if name == "STREAM_BW" {
		return g.own.seesStream(id)
	}
	seen := g.own.sees(id)
	if name == "CIRC" && len(ev.Words) > 1 && ev.Words[1] == "CLOSED" {
		g.own.closed(id)
	}
	return seen
}
