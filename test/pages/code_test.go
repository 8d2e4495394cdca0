package pages_test

import (
	"bufio"
	"bytes"
	"fmt"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/el-tor/tops/paystream"
)

// architecture is the page that leads through the code.
func architecture(t *testing.T) string {
	text, err := os.ReadFile(filepath.Join(root, "docs/architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestHouse holds the packages' imports to the table of rows: downwards, and in a
// row to what stands behind. A package that the page does not name is missing.
func TestHouse(t *testing.T) {
	text := architecture(t)
	_, table, _ := strings.Cut(text, "\n## The house\n")
	table, _, _ = strings.Cut(table, "\nFor tests:")
	place := map[string]int{} // the order of the table
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllStringSubmatch(table, -1) {
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			place[name[1]] = len(place)
		}
	}
	if len(place) < 20 {
		t.Fatalf("only %d packages are in the table", len(place))
	}
	const module = "github.com/el-tor/tops/"
	cmd := exec.Command("go", "list", "-f", "{{if .GoFiles}}{{.ImportPath}} {{join .Imports \" \"}}{{end}}", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for list := bufio.NewScanner(bytes.NewReader(out)); list.Scan(); {
		name, imports, _ := strings.Cut(strings.ReplaceAll(list.Text(), module, ""), " ")
		at, ok := place[name]
		if !ok && !strings.Contains(text, "`"+name+"`") && !strings.Contains("/"+name, "/internal/") && !strings.HasPrefix(name, "scripts/") && !strings.HasPrefix(name, "test/") {
			t.Errorf("the page does not name package %s", name)
		}
		for _, i := range strings.Fields(imports) {
			if to, known := place[i]; ok && known && to <= at {
				t.Errorf("%s imports %s, which does not stand behind it", name, i)
			}
		}
	}
}

// TestWay looks for what the page names: files, and names in the code, each in the
// file that stands behind it.
func TestWay(t *testing.T) {
	text := architecture(t)
	files := map[string][]string{} // by base name
	words := map[string]bool{}     // of the code
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if d.Name() == ".git" {
				return fs.SkipDir
			}
			words[d.Name()] = true
			return nil
		case filepath.Ext(file) == ".go" && !strings.HasSuffix(file, "_test.go"):
			wordsOf(t, file, words)
		}
		files[d.Name()] = append(files[d.Name()], file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	named := func(file string) (found []string) {
		for _, f := range files[path.Base(file)] {
			if strings.HasSuffix(f, "/"+file) {
				found = append(found, f)
			}
		}
		return found
	}
	for _, f := range regexp.MustCompile(`[\w/]+\.go\b`).FindAllString(text, -1) {
		if len(named(f)) == 0 {
			t.Errorf("there is no file %s", f)
		}
	}
	n := 0
	for _, m := range regexp.MustCompile("`([A-Za-z]\\w*(?:\\.[A-Za-z]\\w*)*)`").FindAllStringSubmatch(text, -1) {
		for _, word := range strings.Split(m[1], ".") {
			if n++; !words[word] && len(named(m[1])) == 0 {
				t.Errorf("there is no %s in the code (%s)", word, m[1])
			}
		}
	}
	for _, m := range regexp.MustCompile("`(?:\\w+\\.)*(\\w+)`\\s\\(([\\w/]+\\.go)\\b").FindAllStringSubmatch(text, -1) {
		n++
		declared := regexp.MustCompile(`(?m)^func (\([^)]*\) )?` + m[1] + `\b`)
		there := false
		for _, f := range named(m[2]) {
			code, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			there = there || declared.Match(code)
		}
		if !there {
			t.Errorf("%s is not in %s", m[1], m[2])
		}
	}
	if n < 150 {
		t.Errorf("only %d names were found", n)
	}
}

// TestReasons wants every reason for a pay stream's end to be explained to who reads
// it: an operator, and who writes a controller.
func TestReasons(t *testing.T) {
	for page, form := range map[string]string{"docs/operations.md": `(?m)^\| ([A-Z_]+, )*%s[ ,]`, "controlspec/tops-control-spec.md": `(= |/ )"%s" `} {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range paystream.Reasons() {
			if !regexp.MustCompile(fmt.Sprintf(form, r)).Match(text) {
				t.Errorf("%s does not say what %s means", page, r)
			}
		}
	}
}

var letters = regexp.MustCompile(`[A-Za-z]\w*`)

// wordsOf adds the names in a file, and the words of its strings.
func wordsOf(t *testing.T, file string, words map[string]bool) {
	code, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var s scanner.Scanner
	s.Init(token.NewFileSet().AddFile(file, -1, len(code)), code, nil, 0)
	for {
		_, tok, lit := s.Scan()
		switch tok {
		case token.EOF:
			return
		case token.IDENT, token.STRING:
			for _, w := range letters.FindAllString(lit, -1) {
				words[w] = true
			}
		}
	}
}
