package access_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// The first pattern that matches decides, however patterns begin.
func TestFirstPatternDecides(t *testing.T) {
	patterns := []string{
		`version|ns/id/[A-F]{2}`, `ver.*`, `(?i)VER.*`, `(?i:n)s/all`, `x?version2`, `^config`, `(a|b)c|d`, `é+`, `[ac]onf`, ``, `\bz`, `(?:ip|q)`, `.{7}`,
	}
	var profile strings.Builder
	profile.WriteString("- users: ['*']\n  exe-paths: ['*']\n  hosts: ['*']\n  commands:\n    GETINFO:\n")
	var want []*regexp.Regexp
	for i, p := range patterns {
		fmt.Fprintf(&profile, "    - pattern: '%s'\n      replacement: 'rule%d'\n", p, i)
		want = append(want, regexp.MustCompile(`\A(?:`+p+`)\z`))
	}
	g := admit(t, open(t, ".yml", profile.String()), remote)
	decided := make(map[int]bool)
	for _, args := range []string{
		"version", "versions", "Version", "VERSION", "ns/id/AB", "ns/id/AG", "NS/all", "ns/all", "xversion2", "version2", "config", "configs",
		"ac", "bc", "d", "dc", "éé", "e", "aonf", "conf", "", "z", "ip", "q", "qq", "seven77", "\xc3", "zz",
	} {
		said := say(g, "GETINFO "+args)
		expected := "510 "
		for i, re := range want {
			if re.MatchString(args) {
				expected = fmt.Sprintf("GETINFO rule%d", i)
				decided[i] = true
				break
			}
		}
		if said != expected && !(expected == "510 " && strings.HasPrefix(said, expected)) {
			t.Errorf("GETINFO %q: %q, want %q", args, said, expected)
		}
	}
	if len(decided) != len(patterns) {
		t.Errorf("only %v decided", decided)
	}
}
