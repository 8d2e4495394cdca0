package manual

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/alecthomas/kong"
)

// Page is a manual page.
type Page struct {
	Name    string // as man(1) is asked for it
	Section int
	Text    []byte
}

// File is the name of the page's file.
func (p Page) File() string { return fmt.Sprintf("%s.%d", p.Name, p.Section) }

// Options are what a page says of itself.
type Options struct {
	Version string
	Date    time.Time
}

// Pages writes them all: the program, its commands, its configuration.
func Pages(app *kong.Application, o Options) []Page {
	pages := []Page{program(app, o)}
	for _, c := range visible(app.Node) {
		pages = append(pages, command(app, c, o))
	}
	return append(pages, configuration(app, o))
}

// finish makes the page of what was written.
func (p Page) finish(r *roff) Page {
	p.Text = []byte(r.b.String())
	return p
}

// visible are the commands that a user is shown.
func visible(n *kong.Node) (list []*kong.Node) {
	for _, c := range n.Children {
		if !c.Hidden {
			list = append(list, c)
		}
	}
	return list
}

// about is a command's help as the phrase of a NAME section.
func about(n *kong.Node) string {
	runes := []rune(n.Help)
	if len(runes) > 1 && unicode.IsLower(runes[1]) {
		runes[0] = unicode.ToLower(runes[0])
	}
	return string(runes)
}

// reference is a page that another one names.
func reference(name string, section int) string {
	return fmt.Sprintf(`\fB%s\fR(%d)`, literal(name), section)
}

// seeAlso names other pages, the last section.
func (r *roff) seeAlso(refs ...string) {
	r.section("SEE ALSO")
	r.b.WriteString(strings.Join(refs, ",\n") + "\n")
}
