package cln

import (
	"encoding/json"
	"testing"
)

// plainText changes how a value is written, never the value.
func FuzzPlainText(f *testing.F) {
	for _, s := range []string{`a & b <c>`, `\u003c`, `\\u003c`, "\u2028", `"`, `\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := json.Marshal(map[string]string{text: text})
		if err != nil {
			t.Fatal(err)
		}
		var want, got map[string]string
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		plain := plainText(b)
		if err := json.Unmarshal(plain, &got); err != nil {
			t.Fatalf("%s: %v", plain, err)
		}
		for k, v := range want {
			if got[k] != v {
				t.Fatalf("%s became %s", b, plain)
			}
		}
	})
}
