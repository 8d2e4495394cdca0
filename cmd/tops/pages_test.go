package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/el-tor/tops/internal/pages"
)

// TestPages has every tops command of the documentation read by the real parser:
// those in blocks, and those in the middle of a sentence.
func TestPages(t *testing.T) {
	all, err := pages.Read("../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for _, file := range []string{"books.backup", "mail.toml"} { // the parser wants them to be there
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	try := func(where, text string, whole bool) {
		for _, args := range variants(words(text)) {
			n++
			// A sentence may name a command without what it needs.
			if err := parses(args); err != nil && (whole || !missing.MatchString(err.Error())) {
				t.Errorf("%s: %q: %v", where, text, err)
			}
		}
	}
	for _, p := range all {
		for _, c := range p.Commands() {
			if text, ok := toTops(c.Text); ok {
				try(fmt.Sprintf("%s:%d", c.Page, c.Line), text, true)
			}
		}
		for _, text := range p.Inline {
			if text, ok := toTops(text); ok && !strings.Contains(text, "…") {
				try(p.Path, text, false)
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d commands were found", n)
	}
}

var (
	missing       = regexp.MustCompile(`^(missing flags: |expected )`)
	throughOthers = regexp.MustCompile(`^(?:.* )?(?:bin/tops|cmd/tops|exec [a-z-]+ tops|run --rm tops(?::local)?) +`)
	placeholder   = regexp.MustCompile(`^[A-Z]+$`)
)

// toTops is what tops itself is asked by a command, also by one that goes through
// docker or go run.
func toTops(text string) (string, bool) {
	if found := throughOthers.FindString(text); found != "" && !strings.HasPrefix(text, "tops ") {
		return text[len(found):], true
	}
	return strings.CutPrefix(text, "tops ")
}

// words splits a command, quotes undone, up to a redirection, pipe or list.
func words(text string) (list []string) {
	for _, m := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(text, -1) {
		if strings.ContainsAny(m[:1], ">|&;") {
			return list
		}
		list = append(list, strings.Trim(m, "'"))
	}
	return list
}

// variants replaces placeholders, and takes each of a|b|c.
func variants(args []string) [][]string {
	for i, arg := range args {
		if strings.Contains(arg, "|") && !strings.Contains(arg, " ") {
			var all [][]string
			for _, one := range strings.Split(arg, "|") {
				all = append(all, variants(append(append(append([]string{}, args[:i]...), one), args[i+1:]...))...)
			}
			return all
		}
		if placeholder.MatchString(arg) {
			args[i] = map[string]string{"HANDLE": "ebf064b1c7877810", "SCENE": "honest", "ADDR": "127.0.0.1:9061"}[arg]
			if args[i] == "" {
				args[i] = strings.ToLower(arg)
			}
		}
	}
	return [][]string{args}
}

func parses(args []string) error {
	var c cli
	parser, err := kong.New(&c, kong.Name("tops"), kong.Exit(func(int) {}), kong.Writers(io.Discard, io.Discard),
		kong.Vars{"version": "tops", "config": defaultConfig})
	if err != nil {
		return err
	}
	_, err = parser.Parse(args)
	return err
}
