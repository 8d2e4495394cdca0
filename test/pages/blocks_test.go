package pages_test

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/pages"
	"github.com/el-tor/tops/policies/access"
)

const root = "../.."

func read(t *testing.T) []pages.Page {
	all, err := pages.Read(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("only %d pages", len(all))
	}
	return all
}

var program = regexp.MustCompile(`^(\$ |sudo |tops |bin/tops|make |go |git |docker|curl |lightning-cli |lightningd |systemctl |ip |apt|cp |mkdir |export |tor |source )`)

// TestBlocks wants every block to be fenced as what it is, and what is typed to be
// in one of sh.
func TestBlocks(t *testing.T) {
	for _, p := range read(t) {
		for _, b := range p.Blocks {
			switch b.Lang {
			case "sh", "toml", "torrc", "ini", "lightningd":
				continue
			case "", "text":
			default:
				t.Errorf("%s:%d: the fence says %q, which nobody checks", p.Path, b.Line, b.Lang)
			}
			for line := range strings.Lines(b.Text) {
				if program.MatchString(line) {
					t.Errorf("%s:%d: %q looks like a command: fence the block as sh", p.Path, b.Line, line)
				}
			}
		}
	}
}

// TestLinks follows the links between pages.
func TestLinks(t *testing.T) {
	all := read(t)
	for _, p := range all {
		for _, l := range p.Links {
			if _, err := os.Stat(filepath.Join(root, l.Path)); err != nil {
				t.Errorf("%s:%d: %v", p.Path, l.Line, err)
			}
			i := slices.IndexFunc(all, func(q pages.Page) bool { return q.Path == l.Path })
			if l.Slug != "" && (i < 0 || !all[i].Slugs[l.Slug]) {
				t.Errorf("%s:%d: %s has no heading %q", p.Path, l.Line, l.Path, l.Slug)
			}
		}
	}
	index := slices.IndexFunc(all, func(p pages.Page) bool { return p.Path == "docs/README.md" })
	for _, p := range all {
		listed := slices.ContainsFunc(all[index].Links, func(l pages.Link) bool { return l.Path == p.Path })
		if filepath.Dir(p.Path) == "docs" && p.Path != "docs/README.md" && !listed {
			t.Errorf("docs/README.md does not name %s", p.Path)
		}
	}
}

// TestConfigurations has each configuration on the pages read by what reads it.
func TestConfigurations(t *testing.T) {
	manifest := manifest(t)
	for _, p := range read(t) {
		for i, b := range p.Blocks {
			file := filepath.Join(t.TempDir(), "block")
			var err error
			switch b.Lang {
			case "toml":
				file += ".toml"
				write(t, file, b.Text)
				if strings.Contains(b.Text, "profile = ") {
					_, err = access.Open(file)
				} else {
					_, err = config.Load(file)
				}
			case "torrc":
				write(t, file, b.Text)
				err = verifyTorrc(t, file)
			case "lightningd":
				for line := range strings.Lines(b.Text) {
					name, _, _ := strings.Cut(strings.TrimSpace(line), "=")
					if !slices.Contains(lightningd, name) && !strings.Contains(manifest, `"`+name+`"`) {
						t.Errorf("%s:%d: neither lightningd nor the plugin has an option %q", p.Path, b.Line, name)
					}
				}
			case "ini": // of systemd
				if !strings.HasPrefix(b.Text, "[Service]\n") {
					t.Errorf("%s:%d: no section of a unit", p.Path, b.Line)
				}
			}
			if err != nil {
				t.Errorf("%s:%d, block %d: %v", p.Path, b.Line, i+1, err)
			}
		}
	}
	for _, torrc := range []string{"compose/client.torrc", "compose/relay.torrc"} {
		if err := verifyTorrc(t, filepath.Join(root, torrc)); err != nil {
			t.Errorf("%s: %v", torrc, err)
		}
	}
}

// lightningd are options of Core Lightning's own that pages name.
var lightningd = []string{"plugin", "fetchinvoice-noconnect"}

// TestPlugin wants every option and method of the plugin's page to be in what the
// program tells lightningd.
func TestPlugin(t *testing.T) {
	all := read(t)
	i := slices.IndexFunc(all, func(p pages.Page) bool { return p.Path == "docs/plugin.md" })
	text, err := os.ReadFile(filepath.Join(root, "docs/plugin.md"))
	if err != nil || i < 0 {
		t.Fatal(err)
	}
	manifest := manifest(t)
	words := regexp.MustCompile(`\btops-[a-z-]*[a-z]`).FindAllString(string(text), -1)
	if len(words) < 10 {
		t.Errorf("only %q", words)
	}
	for _, w := range words {
		if !strings.Contains(manifest, `"`+w+`"`) {
			t.Errorf("docs/plugin.md names %s, and the plugin has no such option or method", w)
		}
	}
}

// manifest is what the program answers to lightningd's first question.
func manifest(t *testing.T) string {
	cmd := exec.Command(tops(t))
	cmd.Env = append(os.Environ(), "LIGHTNINGD_PLUGIN=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, `{"jsonrpc":"2.0","id":1,"method":"getmanifest","params":{}}`+"\n\n"); err != nil {
		t.Fatal(err)
	}
	var answer json.RawMessage
	if err := json.NewDecoder(out).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// tops builds the program, unless TOPS names one.
func tops(t *testing.T) string {
	if file := os.Getenv("TOPS"); file != "" {
		return file
	}
	file := filepath.Join(t.TempDir(), "tops")
	cmd := exec.Command("go", "build", "-o", file, "./cmd/tops")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// verifyTorrc has tor itself read a file; it starts nothing.
func verifyTorrc(t *testing.T, file string) error {
	cmd := exec.Command("tor", "--verify-config", "--defaults-torrc", "/dev/null", "-f", file,
		"--DataDirectory", t.TempDir(), "--ControlSocket", "0", "--hush")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Logf("%s", out)
	}
	return err
}

func write(t *testing.T, file, text string) {
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
