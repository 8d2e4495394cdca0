package manual

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// command is the page of a command, with those below it.
func command(app *kong.Application, c *kong.Node, o Options) Page {
	p := Page{Name: app.Name + "-" + c.Name, Section: 1}
	var r roff
	r.header(p, o)
	r.name(p, about(c))
	leaves := visible(c)
	if len(leaves) == 0 {
		leaves = []*kong.Node{c}
	}
	r.section("SYNOPSIS")
	for i, leaf := range leaves {
		if i > 0 {
			r.b.WriteString(".br\n")
		}
		r.synopsis(leaf)
	}
	r.section("DESCRIPTION")
	r.paragraphs(c.Help + "\n\n" + c.Detail)
	for _, leaf := range leaves {
		if leaf != c {
			r.subsection(leaf.FullPath())
			r.paragraphs(leaf.Help + "\n\n" + leaf.Detail)
		} else if len(leaf.Positional)+len(leaf.Flags) > 0 {
			r.section("OPTIONS")
		}
		r.options(leaf)
	}
	r.seeAlso(reference(app.Name, 1), reference(app.Name+".toml", 5))
	return p.finish(&r)
}

// synopsis is how a command is called.
func (r *roff) synopsis(c *kong.Node) {
	words := []string{bold(c.FullPath())}
	optional := false
	for _, f := range c.Flags {
		switch {
		case f.Hidden:
		case f.Required:
			words = append(words, flagTerm(f.Value.Name, f))
		default:
			optional = true
		}
	}
	if optional {
		words = append(words, "["+italic("option")+" ...]")
	}
	for _, a := range c.Positional {
		words = append(words, argument(a))
	}
	r.b.WriteString(strings.Join(words, " ") + "\n")
}

func argument(a *kong.Positional) string {
	text := italic(a.Name)
	if a.IsCumulative() {
		text += " ..."
	}
	if !a.Required {
		text = "[" + text + "]"
	}
	return text
}

// options lists a command's arguments and flags.
func (r *roff) options(c *kong.Node) {
	for _, a := range c.Positional {
		r.item(italic(a.Name), a.Help+values(a.Help, a.Enum))
	}
	r.flags(c.Flags)
}

func (r *roff) flags(flags []*kong.Flag) {
	for _, f := range flags {
		if f.Hidden {
			continue
		}
		term := flagTerm(f.Value.Name, f)
		if f.Short != 0 {
			term = bold("-"+string(f.Short)) + ", " + term
		}
		text := f.Help + values(f.Help, f.Enum)
		if f.HasDefault && f.Default != "" && !f.IsBool() && !strings.Contains(f.Help, f.Default) {
			text += " Default: `" + f.Default + "`."
		}
		if len(f.Envs) > 0 {
			text += " Environment: `" + strings.Join(f.Envs, "`, `") + "`."
		}
		r.item(term, text)
	}
}

// values says what may be chosen from, if the help does not.
func values(help, enum string) string {
	list := choices(enum)
	for _, v := range list {
		if !strings.Contains(help, v) {
			return " One of `" + strings.Join(list, "`, `") + "`."
		}
	}
	return ""
}

// choices are the values of an enum that a person would type.
func choices(enum string) (list []string) {
	for v := range strings.SplitSeq(enum, ",") {
		if v = strings.TrimSpace(v); v != "" {
			list = append(list, v)
		}
	}
	return list
}

// flagTerm is a flag with a word for its value.
func flagTerm(name string, f *kong.Flag) string {
	term := bold("--" + name)
	if f.IsBool() || f.IsCounter() {
		return term
	}
	value := f.PlaceHolder
	if value == "" {
		value = strings.ToUpper(f.Name)
	}
	return fmt.Sprintf("%s=%s", term, italic(value))
}
