package completion

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/el-tor/tops/internal/config"
)

// Shells are those that Write knows.
var shells = map[string]func(name string, places []place) string{"bash": bash, "zsh": zsh, "fish": fish}

// Write writes the script of a shell.
func Write(w io.Writer, shell string, app *kong.Application) error {
	script, ok := shells[shell]
	if !ok {
		return fmt.Errorf("no completion for %q: there is bash, zsh and fish", shell)
	}
	_, err := io.WriteString(w, script(app.Name, places(app.Node, nil)))
	return err
}

// place is where a command line can be: a command, and what may follow it.
type place struct {
	path     string // such as "tops relay init"
	commands []choice
	flags    []flag
	args     value
}

// choice is a word with its help.
type choice struct{ word, help string }

// flag is a flag with what it takes.
type flag struct {
	long, short string // with their hyphens; short may be empty
	help        string
	takes       bool
	value       value
}

// value is what a flag or an argument may be: files, or some words, or neither is
// known.
type value struct {
	files bool
	words []string
}

// places lists a command and what is below it.
func places(n *kong.Node, above []flag) []place {
	p := place{path: n.FullPath(), flags: above}
	for _, f := range n.Flags {
		p.flags = append(p.flags[:len(p.flags):len(p.flags)], flags(f)...)
	}
	list := []place{}
	for _, c := range n.Children {
		if c.Hidden {
			continue
		}
		p.commands = append(p.commands, choice{c.Name, short(c.Help)})
		list = append(list, places(c, p.flags)...)
	}
	// A command may be one of those below it as well: tops ledger is tops ledger show.
	if d := n.DefaultCmd; d != nil {
		for _, f := range d.Flags {
			p.flags = append(p.flags[:len(p.flags):len(p.flags)], flags(f)...)
		}
	}
	for _, a := range n.Positional {
		p.args = valueOf(a)
	}
	return append([]place{p}, list...)
}

func flags(f *kong.Flag) []flag {
	if f.Hidden {
		return nil
	}
	c := flag{long: "--" + f.Value.Name, help: short(f.Help), takes: !f.IsBool() && !f.IsCounter(), value: valueOf(f.Value)}
	if f.Short != 0 {
		c.short = "-" + string(f.Short)
	}
	return []flag{c}
}

func valueOf(v *kong.Value) (of value) {
	if v.Tag.PlaceHolder == "KEY=VALUE" {
		for _, k := range config.Keys() {
			of.words = append(of.words, k.Name+"=")
		}
		return of
	}
	for w := range strings.SplitSeq(v.Enum, ",") {
		if w = strings.TrimSpace(w); w != "" {
			of.words = append(of.words, w)
		}
	}
	switch v.Tag.Type {
	case "path", "existingfile", "existingdir":
		of.files = true
	}
	return of
}

// short is the first sentence of a help text, for a list.
func short(help string) string {
	for _, end := range []string{". ", ": ", "; "} {
		help, _, _ = strings.Cut(help, end)
	}
	return strings.TrimSuffix(help, ".")
}

// paths are the alternatives of a case over all commands but the first.
func paths(places []place, sep string) string {
	var list []string
	for _, p := range places[1:] {
		list = append(list, quote(p.path))
	}
	return strings.Join(list, sep)
}

// quote is a word that a shell takes as it is.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// quoted are words of a list.
func quoted(words []string) string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = quote(w)
	}
	return strings.Join(list, " ")
}

// names are a flag's.
func (f flag) names() []string {
	if f.short == "" {
		return []string{f.long}
	}
	return []string{f.long, f.short}
}
