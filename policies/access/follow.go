package access

import (
	"bytes"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// follow returns what learns from the reply to cmd which circuits and onion
// services the controller has, or keeps from it those that are not its own; nil:
// there is nothing to learn.
func (g *Guard) follow(cmd command, own bool) func(controlspec.Line) []byte {
	o, w := &g.own, cmd.words()
	switch {
	case cmd.name == "EXTENDCIRCUIT" && len(w) > 0 && w[0] == "0":
		return onReply("EXTENDED ", o.made)
	// A circuit that CLOSECIRCUIT closed is the controller's until its CIRC CLOSED.
	case cmd.name == "ADD_ONION":
		return onReply("ServiceID=", func(id string) { o.addOnion(id) })
	case cmd.name == "DEL_ONION" && len(w) == 1:
		return onReply("OK", func(string) { o.dropOnion(strings.TrimSuffix(w[0], ".onion")) })
	case cmd.name == "GETINFO" && own:
		return g.ownStatus()
	}
	return nil
}

// onReply calls f with what follows prefix in a positive line, and lets every
// line pass.
func onReply(prefix string, f func(string)) func(controlspec.Line) []byte {
	return func(l controlspec.Line) []byte {
		if val, ok := bytes.CutPrefix(l.Text(), []byte(prefix)); ok && l.Code == 250 && !l.Data {
			f(string(bytes.TrimSpace(val)))
		}
		return l.Raw
	}
}

func (o *ownership) addOnion(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.onions == nil {
		o.onions = make(map[string]bool)
	}
	if len(o.onions) < maxOwned {
		o.onions[id] = true
	}
}

func (o *ownership) dropOnion(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.onions, id)
}

// ownStatus leaves the circuits and streams of others out of circuit-status and
// stream-status, whether they come in a data block or in one line.
func (g *Guard) ownStatus() func(controlspec.Line) []byte {
	var mine func(string) bool
	return func(l controlspec.Line) []byte {
		switch {
		case l.Dot:
			mine = nil
		case l.Data:
			if mine != nil && !mine(firstWord(l.Text())) {
				return nil
			}
		default:
			key, val, ok := bytes.Cut(l.Text(), []byte{'='})
			mine = g.statusFilter(string(key))
			if ok && mine != nil && l.Sep != '+' && len(val) > 0 && !mine(firstWord(val)) {
				return append(append([]byte(nil), l.Raw[:4+len(key)+1]...), '\r', '\n')
			}
		}
		return l.Raw
	}
}

func (g *Guard) statusFilter(key string) func(string) bool {
	switch key {
	case "circuit-status":
		if g.inForce().browser {
			return g.own.uses
		}
		return g.own.sees
	case "stream-status":
		return g.own.seesStream
	}
	return nil
}

func firstWord(b []byte) string {
	w, _, _ := bytes.Cut(b, []byte{' '})
	return string(w)
}

// room says why there is no room for another circuit or onion service; empty:
// there is. Circuits end by themselves, so tor is asked before one is refused.
func (g *Guard) room(cmd command) string {
	p, w := g.inForce(), cmd.words()
	switch {
	case cmd.name == "ADD_ONION" && p.onions > 0 && g.own.countOnions() >= p.onions:
		return "this controller has as many onion services as it may"
	case cmd.name == "EXTENDCIRCUIT" && len(w) > 0 && w[0] == "0", cmd.name == "EXTENDPAIDCIRCUIT":
		limit := maxOwned
		if p.circuits > 0 {
			limit = p.circuits
		}
		if g.own.countCircuits() >= limit {
			g.forgetClosed()
		}
		if g.own.countCircuits() >= limit {
			return "this controller has as many circuits as it may"
		}
	}
	return ""
}

func (o *ownership) countOnions() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.onions)
}

func (o *ownership) countCircuits() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.circuits)
}

func (g *Guard) forgetClosed() {
	if g.ask == nil {
		return
	}
	rep, err := g.ask("GETINFO circuit-status")
	if err != nil || !rep.OK() {
		return
	}
	open := make(map[string]bool)
	for line := range strings.Lines(rep.Values()["circuit-status"]) {
		open[firstWord([]byte(line))] = true
	}
	g.own.mu.Lock()
	defer g.own.mu.Unlock()
	for id := range g.own.circuits {
		if !open[id] {
			delete(g.own.circuits, id)
		}
	}
}
