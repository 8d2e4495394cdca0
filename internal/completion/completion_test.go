package completion_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/el-tor/tops/internal/completion"
)

type cli struct {
	Books struct {
		Show showCmd `cmd:"" default:"withargs" help:"Show them."`
		Copy struct {
			To string `arg:"" type:"path" help:"Where to."`
		} `cmd:"" help:"Copy: don't move."`
	} `cmd:"" help:"The books."`
	Secret struct{} `cmd:"" hidden:""`
	Level  string   `short:"l" default:"some" enum:"some,much" help:"How much."`
}

type showCmd struct {
	Set  []string `placeholder:"KEY=VALUE" help:"Override."`
	JSON bool     `help:"As JSON."`
	Rate int      `help:"A number."`
	File string   `type:"path" help:"A file."`
}

func script(t *testing.T, shell string) string {
	t.Helper()
	k, err := kong.New(&cli{}, kong.Name("tops"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := completion.Write(&b, shell, k.Model); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What bash offers for lines that a user types.
func TestBash(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a-file", "another"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for line, want := range map[string]string{
		"tops ":                          "books --help -h --level -l",
		"tops b":                         "books",
		"tops --l":                       "--level",
		"tops -l ":                       "some much",
		"tops --level = m":               "much",
		"tops --level =":                 "some much",
		"tops books ":                    "show copy --help -h --level -l --set --json --rate --file",
		"tops books --js":                "--json",
		"tops books show --set client.d": "client.day_msat=",
		"tops books show --rate ":        "",
		"tops books show --file an":      "another",
		"tops books copy a":              "a-file another",
		"tops -l much books c":           "copy",
	} {
		words := strings.Split(line, " ")
		cmd := exec.Command("bash", "-c", `eval "$0"; compopt() { :; }; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tops; echo "${COMPREPLY[*]}"`)
		cmd.Args = append(append(cmd.Args, script(t, "bash")), words...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if got := sorted(string(out)); err != nil || got != sorted(want) {
			t.Errorf("%q: %q, %v; want %q", line, got, err, want)
		}
	}
}

func sorted(words string) string { return strings.Join(slices.Sorted(strings.FieldsSeq(words)), " ") }

func TestNoSecretCommands(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if s := script(t, shell); strings.Contains(strings.ToLower(s), "secret") || !strings.Contains(s, "books copy") {
			t.Errorf("%s: want books copy and nothing hidden in\n%s", shell, s)
		}
	}
	if err := completion.Write(&strings.Builder{}, "csh", &kong.Application{Node: &kong.Node{}}); err == nil || !strings.Contains(err.Error(), `"csh"`) {
		t.Errorf("csh: %v, want an error that names it", err)
	}
}
