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

	force    atomic.Pointer[force]
	admitted *Profile            // the first one
	passed   map[string]struct{} // Command's alone: lines that pass as they are, every time
	passedBy *Profile            // Command's alone: whose those are
	ask      Asker               // Command's alone

	own ownership
	cur hearing
}

// force is a profile in force, and the set that it was found in.
type force struct {
	set     *Set
	profile *Profile
}

// The lines that a guard remembers to pass: a controller says a few things many
// times.
const (
	maxPassed    = 256
	maxPassedLen = 256
)

func newGuard(policy *Policy, set *Set, p *Profile, id Identity) *Guard {
	g := &Guard{policy: policy, id: id, admitted: p, passed: make(map[string]struct{}), passedBy: p}
	g.force.Store(&force{set, p})
	g.own.id = id
	return g
}

// Profile is the name of the profile in force.
func (g *Guard) Profile() string { return g.inForce().Name }

// Trusted reports whether the profile lets its controllers in without a cookie:
// those of onion-grater's form do, as it does.
func (g *Guard) Trusted() bool { return g.inForce().trusted }

// Pays reports whether the circuits that the controller builds by a plain
// EXTENDCIRCUIT 0 are to be paid ones.
func (g *Guard) Pays() bool { return g.inForce().pays }

// Command judges one command, raw with its data block. It returns what tor is to
// get, raw itself if it may pass as it is. An error, a [*controlspec.ReplyError],
// is answered instead, and tor gets nothing; what is only pretended to be done is
// answered with a 250. reply, if not nil, is given each line of tor's reply and
// returns what becomes of it; nothing: it is left out.
func (g *Guard) Command(raw []byte, ask func(cmd string) (controlspec.Reply, error)) (line []byte, reply func(controlspec.Line) []byte, err error) {
	p := g.inForce()
	if p != g.passedBy {
		clear(g.passed)
		g.passedBy = p
	}
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

// inForce is the profile that holds now, which a reload may have changed. A
// controller that none is for any more may say and hear nothing.
func (g *Guard) inForce() *Profile {
	f := g.force.Load()
	if g.policy == nil {
		return f.profile
	}
	if set := g.policy.set.Load(); set != f.set {
		f = &force{set, set.Match(g.id)}
		if f.profile == nil {
			f.profile = nobody
		}
		g.force.Store(f)
	}
	return f.profile
}

// Hears reports whether the controller may hear an event of this name now.
func (g *Guard) Hears(event string) bool {
	e := g.inForce().events[event]
	return e != nil && !e.suppress
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
	for _, r := range p.index[cmd.name].rules(cmd.args) {
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
