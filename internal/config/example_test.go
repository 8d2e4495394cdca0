package config

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whoever adds a key says what it is.
func TestEveryKeyIsDocumented(t *testing.T) {
	for _, table := range Tables() {
		if table.Name != "" && !strings.HasSuffix(table.Doc, ".") {
			t.Errorf("[%s] has the doc %q: want a sentence", table.Name, table.Doc)
		}
		for _, k := range table.Keys {
			if !strings.HasSuffix(k.Doc, ".") {
				t.Errorf("%s has the doc %q: want a sentence that says what it is and why", k.Name, k.Doc)
			}
			if unit := regexp.MustCompile(`_msat$`); unit.MatchString(k.Name) && !strings.Contains(k.Doc, "msat") {
				t.Errorf("%s: the doc does not say the unit: %q", k.Name, k.Doc)
			}
		}
	}
}

// The example is the defaults, both as it is and with every line of it live.
func TestExampleIsTheDefaults(t *testing.T) {
	var b bytes.Buffer
	if err := WriteExample(&b, "client", "relay"); err != nil {
		t.Fatal(err)
	}
	live := regexp.MustCompile(`(?m)^#([a-z0-9_]+ = )`).ReplaceAllString(b.String(), "$1")
	if n := len(regexp.MustCompile(`(?m)^[a-z0-9_]+ = `).FindAllString(live, -1)); n != len(Keys()) {
		t.Errorf("%d lines are live, and there are %d keys", n, len(Keys()))
	}
	want := defaults()
	for name, text := range map[string]string{"as it is": b.String(), "every line live": live} {
		got, err := Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want.Lightning.RPC = got.Lightning.RPC // an example itself
		for _, k := range Keys() {
			g, _ := k.Value(got)
			w, _ := k.Value(want)
			if diff := cmp.Diff(w, g); diff != "" {
				t.Errorf("%s: %s is not the default (-default +example):\n%s", name, k.Name, diff)
			}
		}
	}

	b.Reset()
	if err := WriteExample(&b); err != nil {
		t.Fatal(err)
	}
	if c, err := Parse(b.String()); err != nil || c.Client != nil || c.Relay != nil {
		t.Errorf("without a role: %+v, %v; want none", c, err)
	}
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(line, "# ") && len([]rune(line)) > 90 {
			t.Errorf("too long to read: %q", line)
		}
	}
}
