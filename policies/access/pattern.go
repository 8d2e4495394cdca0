package access

import (
	"fmt"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
)

// pattern is a regular expression for the whole of a text. onion-grater only
// appends a '$', by which `a|b` matches everything that begins with a; here the
// expression is a group.
type pattern struct {
	re       *regexp.Regexp
	literal  string   // if fixed
	fixed    bool     // without anything but plain characters
	prefixes []string // what matches begins with one of them; nil: with anything
}

func newPattern(expr string) (pattern, error) {
	if _, err := regexp.Compile(expr); err != nil { // by itself: a parenthesis must not close ours
		return pattern{}, fmt.Errorf("pattern %q: %w", expr, err)
	}
	re, err := regexp.Compile(`\A(?:` + expr + `)\z`)
	if err != nil {
		return pattern{}, fmt.Errorf("pattern %q: %w", expr, err)
	}
	return pattern{re: re, literal: expr, fixed: regexp.QuoteMeta(expr) == expr, prefixes: prefixes(expr)}, nil
}

// prefixes are what the alternatives of an expression begin with, by which most
// commands can be told from most patterns; nil if one of them begins with anything.
func prefixes(expr string) (out []string) {
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil
	}
	branches := []*syntax.Regexp{tree}
	if tree.Op == syntax.OpAlternate {
		branches = tree.Sub
	}
	for _, b := range branches {
		re, err := regexp.Compile(b.String())
		if err != nil {
			return nil
		}
		prefix, _ := re.LiteralPrefix()
		if prefix == "" {
			return nil
		}
		out = append(out, prefix)
	}
	return out
}

// begins reports whether s may match.
func (p *pattern) begins(s string) bool {
	for _, prefix := range p.prefixes {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return p.prefixes == nil
}

func (p *pattern) matches(s string) bool {
	if p.fixed {
		return s == p.literal
	}
	return p.begins(s) && p.re.MatchString(s)
}

// groups returns what the groups matched; one that took no part is empty.
func (p *pattern) groups(s string) (groups []string, ok bool) {
	if p.fixed {
		return nil, s == p.literal
	}
	if !p.begins(s) {
		return nil, false
	}
	m := p.re.FindStringSubmatch(s)
	if m == nil {
		return nil, false
	}
	return m[1:], true
}

// template is a replacement in the manner of Python's str.format: {} is the next
// group, {1} the second one, {client-address} and its like what the name says,
// {{ and }} are braces.
type template struct {
	parts []part
}

// part is a literal, a group or a name.
type part struct {
	text  string
	group int // -1: none
	name  string
}

func newTemplate(s string, groups int) (template, error) {
	var (
		t    template
		lit  strings.Builder
		next int
		mode byte // 'a': {} was used, 'n': {1} was
	)
	fail := func(format string, args ...any) (template, error) {
		return template{}, fmt.Errorf("replacement %q: %w", s, fmt.Errorf(format, args...))
	}
	flush := func() {
		if lit.Len() > 0 {
			t.parts = append(t.parts, part{text: lit.String(), group: -1})
			lit.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '{' && c != '}' {
			lit.WriteByte(c)
			continue
		}
		if i+1 < len(s) && s[i+1] == c {
			lit.WriteByte(c)
			i++
			continue
		}
		end := strings.IndexByte(s[i:], '}')
		if c == '}' || end < 0 {
			return fail("single %q", c)
		}
		field := s[i+1 : i+end]
		i += end
		flush()
		p := part{group: -1}
		n, err := strconv.Atoi(field)
		switch {
		case field == "":
			if mode == 'n' {
				return fail("{} and {%d} cannot be mixed", 0)
			}
			mode, p.group = 'a', next
			next++
		case err == nil && n >= 0:
			if mode == 'a' {
				return fail("{} and {%d} cannot be mixed", n)
			}
			mode, p.group = 'n', n
		case field == "client-address" || field == "client-port" || field == "server-address" || field == "server-port":
			p.name = field
		default:
			return fail("{%s} is not known", field)
		}
		if p.group >= groups {
			return fail("the pattern has %d groups only", groups)
		}
		t.parts = append(t.parts, p)
	}
	flush()
	return t, nil
}

func (t template) expand(groups []string, id Identity) string {
	var b strings.Builder
	for _, p := range t.parts {
		switch {
		case p.group >= 0:
			b.WriteString(groups[p.group])
		case p.name != "":
			b.WriteString(named(p.name, id))
		default:
			b.WriteString(p.text)
		}
	}
	return b.String()
}

func named(name string, id Identity) string {
	server, _ := netip.ParseAddrPort(id.Listener) // a unix socket: the loopback
	if !server.IsValid() {
		server = loopback
	}
	switch name {
	case "client-address":
		return id.Addr.Addr().Unmap().String()
	case "client-port":
		return strconv.Itoa(int(id.Addr.Port()))
	case "server-address":
		return server.Addr().Unmap().String()
	default:
		return strconv.Itoa(int(server.Port()))
	}
}

// rewrite is a pattern with its replacement.
type rewrite struct {
	pattern pattern
	to      template
	pos     Pos
}

// rewriteText gives s to the first rewrite that matches.
func rewriteText(list []rewrite, s string, id Identity) string {
	for _, r := range list {
		if g, ok := r.pattern.groups(s); ok {
			return r.to.expand(g, id)
		}
	}
	return s
}
