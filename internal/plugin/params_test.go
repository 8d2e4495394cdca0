package plugin

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParams(t *testing.T) {
	for _, tt := range []struct{ raw, text, list string }{
		{``, "", ""},
		{`null`, "", ""},
		{`"abc"`, "abc", "abc"},
		{`12`, "12", "12"},
		{`"a,b"`, "a,b", "a b"},
		{`["a","b"]`, "error", "a b"},
		{`[1]`, "error", "error"},
		{`{"a":1}`, "error", "error"},
	} {
		p := params{"x": json.RawMessage(tt.raw)}
		text, err := p.text("x")
		if err != nil {
			text = "error"
		}
		words, err := p.list("x")
		list := strings.Join(words, " ")
		if err != nil {
			list = "error"
		}
		if text != tt.text || list != tt.list {
			t.Errorf("%s: %q and %q, want %q and %q", tt.raw, text, list, tt.text, tt.list)
		}
	}
}

// What lightningd hands on is what a user wrote.
func FuzzParams(f *testing.F) {
	for _, s := range []string{``, `null`, `"x"`, `12`, `["a"]`, `{}`, `[`, `"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := params{"x": raw}
		if list, err := p.list("x"); err == nil && len(raw) == 0 && list != nil {
			t.Errorf("%q from nothing", list)
		}
		_, _ = p.text("x")
	})
}
