package config

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
)

// New makes a configuration of a text, which may be empty, with values of the
// command line over it. A role of roles that the text has no table for gets one.
func New(text string, roles, set []string) (*Loaded, error) {
	probe := &Loaded{Origins: map[string]Origin{}}
	if err := probe.parse("", text); err != nil {
		return nil, err
	}
	for _, t := range Tables() {
		if slices.Contains(roles, t.Name) && !probe.has(t.Name) {
			text += "\n[" + t.Name + "]\n"
		}
	}
	l := &Loaded{Origins: map[string]Origin{}}
	if err := l.parse("", text); err != nil {
		return nil, err
	}
	if err := l.flags(set); err != nil {
		return nil, err
	}
	return l, l.check()
}

// has reports whether a table of the configuration is there.
func (c *Config) has(table string) bool {
	for _, k := range Keys() {
		if k.Table() == table {
			if _, there := k.field(c); there {
				return true
			}
		}
	}
	return false
}

// WriteChosen writes a tops.toml with what differs from the defaults, and why it
// is there. head is said first.
func WriteChosen(w io.Writer, c *Config, head string) error {
	var b strings.Builder
	comment(&b, "", head)
	d := defaults()
	for _, t := range Tables() {
		if !c.has(t.Name) {
			continue
		}
		var lines strings.Builder
		for _, k := range t.Keys {
			value, _ := k.field(c)
			usual, _ := k.field(d)
			if same(value, usual) {
				continue
			}
			comment(&lines, "\n", k.Doc)
			fmt.Fprintf(&lines, "%s = %s\n", k.Name[strings.LastIndexByte(k.Name, '.')+1:], TOML(value.Interface()))
		}
		// A role's table is the role, empty or not.
		if t.Name != "" && (t.Role || lines.Len() > 0) {
			comment(&b, "\n", t.Doc)
			fmt.Fprintf(&b, "[%s]\n", t.Name)
		}
		b.WriteString(lines.String())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// same takes an empty list for none.
func same(a, b reflect.Value) bool {
	if a.Kind() == reflect.Slice && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}
