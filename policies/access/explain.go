package access

import (
	"fmt"
	"strings"
)

// Explanation is what a policy does with one command of one controller.
type Explanation struct {
	Profile string // empty: none is for the controller
	Rule    Pos    // that decided; the profile's own if none did
	Allowed bool
	Reply   string // what is answered in tor's stead, if anything
	Line    string // what tor gets instead of the command, if another
	Paid    bool   // the circuit becomes a paid one
	Rewrite bool   // the reply is rewritten, or parts of it kept back
}

func (e Explanation) String() string {
	switch {
	case e.Profile == "":
		return "BLOCK: " + e.Reply
	case !e.Allowed:
		return fmt.Sprintf("BLOCK by %s: %s", e.Rule, e.Reply)
	}
	s := fmt.Sprintf("ALLOW by %s (profile %s)", e.Rule, e.Profile)
	switch {
	case e.Reply != "":
		s += "; tor does not see it, the answer is " + e.Reply
	case e.Line != "":
		s += "; tor gets: " + e.Line
	}
	if e.Paid {
		s += "; it becomes a paid circuit, if the exit can be paid"
	}
	if e.Rewrite {
		s += "; the reply is rewritten"
	}
	return s
}

// Explain says what becomes of a command, and by which rule. Nothing is counted
// towards rates; circuits and streams are judged as those of a controller that has
// none yet.
func (s *Set) Explain(id Identity, cmd string) Explanation {
	id.Listener = normalListener(id.Listener)
	p := s.Match(id)
	if p == nil {
		return Explanation{Reply: "510 Refused: no access profile is for " + id.String()}
	}
	return p.Explain(id, cmd)
}

// Explain is as [Set.Explain], for a controller that the profile is for.
func (p *Profile) Explain(id Identity, line string) Explanation {
	g := newGuard(nil, nil, p, id)
	g.dry = true
	cmd, err := cut([]byte(line))
	if err != nil {
		return Explanation{Profile: p.Name, Rule: p.Pos, Reply: err.Error()}
	}
	v := g.judge(p, cmd)
	e := Explanation{Profile: p.Name, Rule: v.pos, Allowed: true, Line: strings.TrimRight(v.line, "\r\n"), Rewrite: v.reply != nil}
	e.Paid = v.refusal == nil && p.pays && cmd.name == "EXTENDCIRCUIT" && word(cmd.args) == "0"
	if v.refusal != nil {
		e.Reply, e.Allowed = v.refusal.Error(), v.refusal.Code == 250
	}
	return e
}
