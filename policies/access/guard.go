package access

import (
	"bytes"
	"strings"
	"sync/atomic"

	"github.com/el-tor/tops/controlspec"
)

// Asker asks tor one thing on a controller's own connection, once everything
// before it was answered.
type Asker func(cmd string) (controlspec.Reply, error)

// Guard holds one controller to its profile. Command is called by one goroutine,
// the functions that it returns and Event by another.
type Guard struct {
	policy *Policy
	id     Identity
	dry    bool // nothing is counted, tor is not asked

	set      *Set // of the profile; Command's alone
	profile  atomic.Pointer[Profile]
	admitted *Profile            // the first one
	passed   map[string]struct{} // Command's alone: lines that pass as they are, every time
	ask      Asker               // Command's alone

	own ownership
	cur hearing
}

// The lines that a guard remembers to pass: a controller says a few things many
// times.
const (
	maxPassed    = 256
	maxPassedLen = 256
)

func newGuard(policy *Policy, set *Set, p *Profile, id Identity) *Guard {
	g := &Guard{policy: policy, id: id, set: set, admitted: p, passed: make(map[string]struct{})}
	g.profile.Store(p)
	g.own.id = id
	return g
}

// Profile is the name of the profile in force.
func (g *Guard) Profile() string { return g.profile.Load().Name }

// Trusted reports whether the profile lets its controllers in without a cookie:
// those of onion-grater's form do, as it does.
func (g *Guard) Trusted() bool { return g.profile.Load().trusted }

// Pays reports whether the circuits that the controller builds by a plain
// EXTENDCIRCUIT 0 are to be paid ones.
func (g *Guard) Pays() bool { return g.profile.Load().pays }

// Command judges one command, raw with its data block. It returns what tor is to
// get, raw itself if it may pass as it is. An error, a [*controlspec.ReplyError],
// is answered instead, and tor gets nothing; what is only pretended to be done is
// answered with a 250. reply, if not nil, is given each line of tor's reply and
// returns what becomes of it; nothing: it is left out.
func (g *Guard) Command(raw []byte, ask func(cmd string) (controlspec.Reply, error)) (line []byte, reply func(controlspec.Line) []byte, err error) {
	p := g.refresh()
	if p.rate != nil && !p.rate.Allow() {
		return nil, nil, p.refuse(p.Pos, "More than %s commands", describe(p.rate)).refusal
	}
	if _, ok := g.passed[string(raw)]; ok {
		return raw, nil, nil
	}
	g.ask = ask
	cmd, err := cut(raw)
	if err != nil {
		return nil, nil, err
	}
	v := g.judge(p, cmd)
	if v.refusal != nil {
		return nil, nil, v.refusal
	}
	if v.line != "" {
		_, rest, _ := bytes.Cut(raw, []byte{'\n'})
		line = append([]byte(oneLine(v.line)), '\r', '\n')
		return append(line, rest...), v.reply, nil
	}
	if v.fixed && v.reply == nil && len(raw) <= maxPassedLen {
		if len(g.passed) >= maxPassed {
			clear(g.passed)
		}
		g.passed[string(raw)] = struct{}{}
	}
	return raw, v.reply, nil
}

// refresh takes the profile that is in force after a reload. A controller that
// none is for any more may say nothing.
func (g *Guard) refresh() *Profile {
	if g.policy == nil {
		return g.admitted
	}
	if set := g.policy.set.Load(); set != g.set {
		p := set.Match(g.id)
		if p == nil {
			p = nobody
		}
		g.set = set
		g.profile.Store(p)
		clear(g.passed)
		return p
	}
	return g.profile.Load()
}

// judge finds the rule for cmd.
func (g *Guard) judge(p *Profile, cmd command) verdict {
	if free[cmd.name] && !cmd.block {
		return verdict{fixed: true, pos: p.Pos}
	}
	if cmd.name == "SETEVENTS" && !cmd.block {
		return g.setEvents(p, cmd)
	}
	rules := p.rules[cmd.name]
	why := ""
	for _, r := range rules {
		v, ok, reason := r.judge(g, cmd)
		if ok {
			return g.awayFromControl(p, cmd, v)
		}
		if why == "" {
			why = reason
		}
	}
	switch {
	case p.grater && (cmd.name == "TAKEOWNERSHIP" || cmd.name == "RESETCONF"):
		return verdict{pos: p.Pos, refusal: controlspec.Errorf(250, "OK")} // as Whonix's onion-grater does
	case len(rules) == 0:
		return p.refuse(p.Pos, "%s is not allowed", controlspec.Quote(clip(cmd.name)))
	case why == "":
		why = "these arguments are not allowed"
	}
	return p.refuse(rules[0].where(), "%s refused: %s", cmd.name, why)
}

// setEvents lets tor have the names that are not suppressed.
func (g *Guard) setEvents(p *Profile, cmd command) verdict {
	v := verdict{pos: p.Pos, fixed: true}
	words := cmd.words()
	kept := words[:0:0]
	for _, w := range words {
		name := strings.ToUpper(w)
		if name == "EXTENDED" { // an old flag, which does nothing
			kept = append(kept, w)
			continue
		}
		e := p.events[name]
		if e == nil {
			return p.refuse(p.Pos, "SETEVENTS refused: event %s is not allowed", controlspec.Quote(clip(name)))
		}
		v.pos = e.pos
		if !e.suppress {
			kept = append(kept, w)
		}
	}
	if len(kept) < len(words) {
		v.line = strings.Join(append([]string{"SETEVENTS"}, kept...), " ")
	}
	return v
}

// Built tells the guard of a circuit that was built for its controller without
// EXTENDCIRCUIT.
func (g *Guard) Built(circID string) { g.own.made(circID) }

// nobody is the profile of controllers that no profile is for any more.
var nobody = &Profile{Name: "none"}
