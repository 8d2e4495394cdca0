package manual

import (
	"fmt"
	"strings"
)

// roff is the text of a page in the making.
type roff struct{ b strings.Builder }

// header begins the page.
func (r *roff) header(p Page, o Options) {
	fmt.Fprintf(&r.b, ".\\\" Written by `tops man`; do not edit.\n.TH %s %d %s \"tops %s\" \"The Onion Pay Stream\"\n",
		literal(strings.ToUpper(p.Name)), p.Section, o.Date.UTC().Format("2006-01-02"), literal(o.Version))
}

func (r *roff) section(title string) { fmt.Fprintf(&r.b, ".SH %s\n", escape(title)) }

func (r *roff) subsection(title string) { fmt.Fprintf(&r.b, ".SS %s\n", literal(title)) }

// name is the section that apropos(1) reads.
func (r *roff) name(p Page, about string) {
	r.section("NAME")
	r.b.WriteString(wrap(literal(p.Name)+` \- `+escape(strings.TrimSuffix(about, "."))) + "\n")
}

// paragraphs writes a text whose paragraphs are parted by empty lines.
func (r *roff) paragraphs(text string) {
	for i, p := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			r.b.WriteString(".PP\n")
		}
		r.b.WriteString(prose(p) + "\n")
	}
}

// item writes a term, roff already, and what it is.
func (r *roff) item(term, text string) {
	fmt.Fprintf(&r.b, ".TP\n%s\n%s\n", term, prose(text))
}

// example writes commands as they are typed.
func (r *roff) example(lines ...string) {
	r.b.WriteString(".PP\n.nf\n.RS\n")
	for _, l := range lines {
		r.b.WriteString(protect(literal(l)) + "\n")
	}
	r.b.WriteString(".RE\n.fi\n")
}

func bold(s string) string   { return `\fB` + literal(s) + `\fR` }
func italic(s string) string { return `\fI` + literal(s) + `\fR` }

// prose is text for a reader; what stands in backquotes is bold.
func prose(s string) string {
	parts := strings.Split(strings.Join(strings.Fields(s), " "), "`")
	for i := range parts {
		if i%2 == 1 {
			parts[i] = bold(parts[i])
		} else {
			parts[i] = escape(parts[i])
		}
	}
	return wrap(strings.Join(parts, ""))
}

// wrap breaks a paragraph into lines that a person can read in the source.
func wrap(s string) string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		if line != "" && len(line)+1+len(word) > 78 {
			lines = append(lines, protect(line))
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return strings.Join(append(lines, protect(line)), "\n")
}

// escape makes a text safe for roff.
func escape(s string) string { return asciiOnly(escaper.Replace(s)) }

// literal is the same for what is typed: a quote stays the ASCII one.
func literal(s string) string { return strings.ReplaceAll(escape(s), "'", `\(aq`) }

var escaper = strings.NewReplacer(`\`, `\e`, "-", `\-`, "~", `\(ti`, "^", `\(ha`, "`", `\(ga`, `"`, `\(dq`)

// asciiOnly names other characters by their number, which every roff knows.
func asciiOnly(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\[u%04X]`, r)
		}
	}
	return b.String()
}

// protect keeps a line from being read as a macro.
func protect(s string) string {
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		return `\&` + s
	}
	return s
}
