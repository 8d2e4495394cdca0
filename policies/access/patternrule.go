package access

import (
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// patternRule is a rule of onion-grater's: a pattern for all the arguments.
type patternRule struct {
	pattern     pattern
	replacement *template
	response    []rewrite
	pos         Pos
}

func (r *patternRule) where() Pos { return r.pos }

func (r *patternRule) judge(g *Guard, cmd command) (verdict, bool, string) {
	if cmd.block || !r.pattern.matches(cmd.args) {
		return verdict{}, false, ""
	}
	v := verdict{pos: r.pos, fixed: true}
	if r.replacement != nil {
		groups, _ := r.pattern.groups(cmd.args)
		v.line = cmd.head + r.replacement.expand(groups, g.id)
	}
	if len(r.response) > 0 {
		v.reply, v.fixed = func(l controlspec.Line) []byte { return rewriteLine(r.response, l, g.id) }, false
	}
	return v, true, ""
}

// confRule is onion-grater's confs.
type confRule struct {
	options map[string][]pattern // by name in lower case; nil: GETCONF only
	pos     map[string]Pos
	first   Pos
}

func (r *confRule) where() Pos { return r.first }

func (r *confRule) judge(_ *Guard, cmd command) (verdict, bool, string) {
	list, err := settings(cmd.args)
	if err != nil || len(list) == 0 || cmd.block {
		return verdict{}, false, ""
	}
	v := verdict{fixed: true}
	for _, s := range list {
		key := strings.ToLower(s.key)
		values, ok := r.options[key]
		if ok && cmd.name == "SETCONF" {
			ok = false
			for _, p := range values {
				if p.matches(s.raw) && (s.set || p.fixed && p.literal == "") {
					ok = true
				}
			}
		}
		if !ok || cmd.name == "GETCONF" && s.set {
			return verdict{}, false, "option " + controlspec.Quote(clip(s.key)) + " is not allowed so"
		}
		v.pos = r.pos[key]
	}
	return v, true, ""
}

// clip shortens what a controller sent for an error text.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}
