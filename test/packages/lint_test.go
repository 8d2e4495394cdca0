//go:build world

package packages_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// tops is the program that was built.
var tops = filepath.Join("..", "..", "bin", "tops")

// TestManualPages has both readers of manual pages look for faults.
func TestManualPages(t *testing.T) {
	dir := t.TempDir()
	run(t, tops, "man", "--dir", dir)
	pages, err := filepath.Glob(filepath.Join(dir, "*.[15]"))
	if err != nil || len(pages) < 10 {
		t.Fatalf("pages %q, %v", pages, err)
	}
	for _, args := range [][]string{append([]string{"mandoc", "-T", "lint"}, pages...), append([]string{"lexgrog"}, pages...)} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", args[0], err, out)
		}
	}
	for _, page := range pages {
		cmd := exec.Command("man", "--warnings", "-l", page)
		cmd.Env = append(os.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8", "MAN_KEEP_STDERR=1")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if out, err := cmd.Output(); err != nil || stderr.Len() > 0 || !strings.Contains(string(out), "SEE ALSO") {
			t.Errorf("man %s: %v\n%s%s", page, err, &stderr, out)
		}
	}
}

// TestPackageIsTidy has Debian's own checker look at the package.
func TestPackageIsTidy(t *testing.T) {
	debs, err := filepath.Glob(filepath.Join("..", "..", "dist", "tops_*_"+runtime.GOARCH+".deb"))
	if err != nil || len(debs) != 1 {
		t.Fatalf("packages %q, %v: want one, made by make deb", debs, err)
	}
	cmd := exec.Command("lintian", append([]string{"--allow-root", "--fail-on", "error,warning"}, debs...)...)
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), ": tops: ") {
		t.Errorf("lintian: %v\n%s", err, out)
	}
}

// TestShells has zsh and fish complete what a user types; what bash does is tested
// with the package completion.
func TestShells(t *testing.T) {
	dir := t.TempDir()
	for _, shell := range []string{"zsh", "fish"} {
		script := filepath.Join(dir, "tops."+shell)
		if err := os.WriteFile(script, []byte(run(t, tops, "completion", shell)), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, shell, "-n", script)
	}
	for line, want := range map[string]string{
		"tops rel":                     "relay\t",
		"tops relay un":                "undo\t",
		"tops relay init --rate":       "--rate-msat\t",
		"tops --log-level d":           "debug",
		"tops config example ":         "client\nrelay",
		"tops run --set client.day_ms": "client.day_msat=",
	} {
		out := run(t, "fish", "-c", "source "+filepath.Join(dir, "tops.fish")+"; complete -C '"+line+"'")
		if !strings.Contains(out, want) || strings.Contains(out, "guard") {
			t.Errorf("fish, %q: %q, want %q in it", line, out, want)
		}
	}
	// zsh completes on a terminal only, so it is asked what it would have offered.
	out := run(t, "zsh", "-fc", `_describe() { eval "print -l -- \${${@[-1]}}" }
compdef() { : }
source `+filepath.Join(dir, "tops.zsh")+`
words=(tops relay un) CURRENT=3 PREFIX=un; _tops`)
	if !strings.Contains(out, "undo:Put every tor option back") || !strings.Contains(out, "--log-level:") {
		t.Errorf("zsh offers %q", out)
	}
}
