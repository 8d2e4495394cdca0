package pages

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Page is one file of the documentation.
type Page struct {
	Path   string // from the root of the repository
	Blocks []Block
	Links  []Link
	Inline []string // what stands between single backquotes
	Slugs  map[string]bool
}

// Block is a block of code.
type Block struct {
	Lang string // as in its fence; "" if it is indented
	Line int
	Text string
}

// Link is one to a file or heading of the repository.
type Link struct {
	Path string // from the root of the repository
	Slug string // "": the whole file
	Line int
}

// Command is a line that a reader types.
type Command struct {
	Page string
	Line int
	Text string
}

var (
	inline  = regexp.MustCompile("`([^`]+)`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`^#+ +(.*)$`)
	remark  = regexp.MustCompile(`\s{2,}#.*$`)
	noSlug  = regexp.MustCompile(`[^a-z0-9_ \-\p{L}]`)
)

// Read reads every page below root but those of testdata.
func Read(root string) (all []Page, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git" || d.Name() == "dist") {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		p, err := parse(filepath.ToSlash(rel), string(text))
		all = append(all, p)
		return err
	})
	return all, err
}

func parse(path, text string) (Page, error) {
	p := Page{Path: path, Slugs: make(map[string]bool)}
	var open *Block // fenced, or indented as long as such lines follow
	fenced, blank := false, true
	prose := &strings.Builder{}
	for i, line := range strings.Split(text, "\n") {
		at := i + 1
		switch {
		case fenced && strings.HasPrefix(line, "```"):
			p.Blocks, open, fenced = append(p.Blocks, *open), nil, false
		case fenced:
			open.Text += line + "\n"
		case strings.HasPrefix(line, "```"):
			open, fenced = &Block{Lang: strings.TrimPrefix(line, "```"), Line: at}, true
			if open.Lang == "" {
				return p, fmt.Errorf("%s:%d: a fence without a language", path, at)
			}
		case strings.HasPrefix(line, "    ") && (open != nil || blank):
			if open == nil {
				open = &Block{Line: at}
			}
			open.Text += strings.TrimPrefix(line, "    ") + "\n"
		case open != nil && line == "":
			open.Text += "\n"
		default:
			if open != nil {
				p.Blocks, open = append(p.Blocks, *open), nil
			}
			if m := heading.FindStringSubmatch(line); m != nil {
				p.Slugs[slug(m[1])] = true
			}
			p.link(line, at)
			prose.WriteString(line + "\n")
		}
		blank = line == ""
	}
	if fenced {
		return p, fmt.Errorf("%s:%d: a fence that does not end", path, open.Line)
	}
	if open != nil {
		p.Blocks = append(p.Blocks, *open)
	}
	for _, m := range inline.FindAllStringSubmatch(prose.String(), -1) {
		p.Inline = append(p.Inline, strings.Join(strings.Fields(m[1]), " "))
	}
	return p, nil
}

func (p *Page) link(line string, at int) {
	for _, m := range link.FindAllStringSubmatch(line, -1) {
		if strings.Contains(m[1], "://") {
			continue
		}
		file, slug, _ := strings.Cut(m[1], "#")
		l := Link{Path: p.Path, Slug: slug, Line: at}
		if file != "" {
			l.Path = filepath.ToSlash(filepath.Join(filepath.Dir(p.Path), file))
		}
		p.Links = append(p.Links, l)
	}
}

// slug is the anchor that a heading gets.
func slug(heading string) string {
	return strings.ReplaceAll(noSlug.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
}

// Commands are the lines of the blocks that are fenced as sh, without remarks; one
// that ends in a backslash goes on in the next.
func (p Page) Commands() (all []Command) {
	for _, b := range p.Blocks {
		if b.Lang != "sh" {
			continue
		}
		text := ""
		for i, line := range strings.Split(b.Text, "\n") {
			line = strings.TrimSpace(remark.ReplaceAllString(line, ""))
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			if more, ok := strings.CutSuffix(line, "\\"); ok {
				text += strings.TrimSpace(more) + " "
				continue
			}
			all = append(all, Command{Page: p.Path, Line: b.Line + 1 + i, Text: text + line})
			text = ""
		}
	}
	return all
}
