package access

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// graterProfile is one profile of onion-grater's, as its file has it.
type graterProfile struct {
	Name      string                 `yaml:"name"`
	AppArmor  []string               `yaml:"apparmor-profiles"`
	Exes      []string               `yaml:"exe-paths"`
	Users     []string               `yaml:"users"`
	Hosts     []string               `yaml:"hosts"`
	Commands  map[string]graterRules `yaml:"commands"`
	Confs     graterConfs            `yaml:"confs"`
	Events    map[string]graterEvent `yaml:"events"`
	Browser   bool                   `yaml:"tor-browser-mode"`
	OldStream bool                   `yaml:"restrict-stream-events"` // what tor-browser-mode was called

	line int
}

type graterEvent struct {
	Suppress bool            `yaml:"suppress"`
	Response []graterRewrite `yaml:"response"`
	line     int
}

type graterRewrite struct {
	Pattern     string `yaml:"pattern"`
	Replacement string `yaml:"replacement"`
	line        int
}

type graterRule struct {
	Pattern     string          `yaml:"pattern"`
	Replacement *string         `yaml:"replacement"`
	Response    []graterRewrite `yaml:"response"`
	line        int
}

type graterRules []graterRule

type graterConfs map[string]graterConf

type graterConf struct {
	values []string
	line   int
}

// strict decodes node into v and refuses keys that v does not have. The decoder
// itself does so only where no UnmarshalYAML stands in between.
func strict(node *yaml.Node, keys string, v any) error {
	if node.Kind == yaml.MappingNode {
		for i := 0; i < len(node.Content); i += 2 {
			if k := node.Content[i]; !strings.Contains(" "+keys+" ", " "+k.Value+" ") {
				return fmt.Errorf("line %d: unknown key %q", k.Line, k.Value)
			}
		}
	}
	return node.Decode(v)
}

func (r *graterRule) UnmarshalYAML(node *yaml.Node) error {
	r.line = node.Line
	if node.Kind == yaml.ScalarNode {
		return node.Decode(&r.Pattern)
	}
	type plain graterRule
	return strict(node, "pattern replacement response", (*plain)(r))
}

func (r *graterRewrite) UnmarshalYAML(node *yaml.Node) error {
	r.line = node.Line
	type plain graterRewrite
	return strict(node, "pattern replacement", (*plain)(r))
}

func (e *graterEvent) UnmarshalYAML(node *yaml.Node) error {
	e.line = node.Line
	type plain graterEvent
	return strict(node, "suppress response", (*plain)(e))
}

func (c *graterConf) UnmarshalYAML(node *yaml.Node) error {
	c.line = node.Line
	return node.Decode(&c.values)
}

func (p *graterProfile) UnmarshalYAML(node *yaml.Node) error {
	p.line = node.Line
	type plain graterProfile
	return strict(node, "name apparmor-profiles exe-paths users hosts commands confs events tor-browser-mode restrict-stream-events", (*plain)(p))
}

// parseGrater reads a file of onion-grater's: a list of profiles.
func parseGrater(name, file string, text []byte) ([]*Profile, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	var list []graterProfile
	if err := dec.Decode(&list); err != nil && !errors.Is(err, io.EOF) {
		return nil, yamlError(file, err)
	}
	var more any
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: one document was expected", file)
	}
	var out []*Profile
	for _, g := range list {
		if g.Name == "" {
			g.Name = name
		}
		p, err := g.profile(file)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// yamlError puts the line that an error of the yaml package begins with behind
// the file's name.
func yamlError(file string, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	var te *yaml.TypeError
	if errors.As(err, &te) && len(te.Errors) > 0 {
		text = te.Errors[0]
	}
	var line int
	if _, serr := fmt.Sscanf(text, "line %d: ", &line); serr == nil {
		_, text, _ = strings.Cut(text, ": ")
	}
	return Pos{file, line}.errorf("%s", text)
}

func (g graterProfile) profile(file string) (*Profile, error) {
	at := func(line int) Pos { return Pos{file, line} }
	hosts, err := parseHosts(g.Hosts)
	if err != nil {
		return nil, at(g.line).errorf("%w", err)
	}
	p := &Profile{
		Name: g.Name, Pos: at(g.line), grater: true, trusted: true, browser: g.Browser || g.OldStream,
		rules: make(map[string][]rule), events: make(map[string]*eventRule),
		match: match{users: normalUsers(g.Users), programs: append(g.Exes, g.AppArmor...), hosts: hosts},
	}
	p.match.local = len(p.match.users) > 0 && len(p.match.programs) > 0
	p.match.remote = len(hosts) > 0
	for name, rules := range g.Commands {
		name = strings.ToUpper(name)
		if len(rules) > 0 && p.rules[name] != nil {
			return nil, at(rules[0].line).errorf("command %s is there twice", name)
		}
		for _, r := range rules {
			rule, err := r.rule(file)
			if err != nil {
				return nil, err
			}
			p.rules[name] = append(p.rules[name], rule)
		}
	}
	if err := g.Confs.add(p, file); err != nil {
		return nil, err
	}
	for name, e := range g.Events {
		rewrites, err := compileRewrites(e.Response, file)
		if err != nil {
			return nil, err
		}
		p.events[strings.ToUpper(name)] = &eventRule{suppress: e.Suppress, rewrites: rewrites, pos: at(max(e.line, g.line))}
	}
	return p, nil
}

func (r graterRule) rule(file string) (*patternRule, error) {
	pos := Pos{file, r.line}
	pat, err := newPattern(r.Pattern)
	if err != nil {
		return nil, pos.errorf("%w", err)
	}
	out := &patternRule{pattern: pat, pos: pos}
	if r.Replacement != nil {
		t, err := newTemplate(*r.Replacement, pat.re.NumSubexp())
		if err != nil {
			return nil, pos.errorf("%w", err)
		}
		out.replacement = &t
	}
	out.response, err = compileRewrites(r.Response, file)
	return out, err
}

func compileRewrites(list []graterRewrite, file string) ([]rewrite, error) {
	var out []rewrite
	for _, r := range list {
		pos := Pos{file, r.line}
		pat, err := newPattern(r.Pattern)
		if err != nil {
			return nil, pos.errorf("%w", err)
		}
		t, err := newTemplate(r.Replacement, pat.re.NumSubexp())
		if err != nil {
			return nil, pos.errorf("%w", err)
		}
		out = append(out, rewrite{pat, t, pos})
	}
	return out, nil
}

// add makes rules of confs: GETCONF of every key, SETCONF of those that have
// values. The empty value is a reset.
func (c graterConfs) add(p *Profile, file string) error {
	if len(c) == 0 {
		return nil
	}
	rule := &confRule{options: make(map[string][]pattern), pos: make(map[string]Pos)}
	for key, conf := range c {
		pos, key := Pos{file, conf.line}, strings.ToLower(key)
		if conf.line == 0 { // a key without a value
			pos = p.Pos
		}
		if _, twice := rule.options[key]; twice {
			return pos.errorf("option %q is there twice", key)
		}
		rule.options[key], rule.pos[key] = nil, pos
		for _, v := range conf.values {
			pat, err := newPattern(v)
			if err != nil {
				return pos.errorf("%w", err)
			}
			rule.options[key] = append(rule.options[key], pat)
		}
		if rule.first.Line == 0 || pos.Line < rule.first.Line {
			rule.first = pos
		}
	}
	for _, cmd := range []string{"GETCONF", "SETCONF"} {
		p.rules[cmd] = append(p.rules[cmd], rule)
	}
	return nil
}
