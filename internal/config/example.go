package config

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteExample writes a tops.toml with every key, its reason and its default,
// all of it commented out but for the tables of the roles that are asked for.
func WriteExample(w io.Writer, roles ...string) error {
	var b strings.Builder
	b.WriteString("# tops.toml: what TOPS, the Onion Pay Stream, may do. Written by `tops config example`.\n" +
		"#\n" +
		"# What is commented out shows the default. Amounts are msat, thousandths of a sat.\n" +
		"# Each key has an environment variable that wins over it (client.day_msat:\n" +
		"# TOPS_CLIENT_DAY_MSAT), and --set client.day_msat=… wins over both.\n")
	for _, t := range Tables() {
		live := !t.Role || slices.Contains(roles, t.Name)
		if t.Name != "" {
			comment(&b, "\n", t.Doc)
			if !live {
				b.WriteByte('#')
			}
			fmt.Fprintf(&b, "[%s]\n", t.Name)
		}
		for _, k := range t.Keys {
			comment(&b, "\n", k.Doc)
			k.example(&b, len(roles) > 0)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// example writes the line of a key. The one that every role needs is there.
func (k Key) example(b *strings.Builder, role bool) {
	value := k.Default()
	name := k.Name[strings.LastIndexByte(k.Name, '.')+1:]
	if role && k.Name == "lightning.rpc" {
		fmt.Fprintf(b, "%s = %s\n", name, TOML(k.Example))
		return
	}
	fmt.Fprintf(b, "#%s = %s", name, TOML(value))
	if k.Example != "" {
		example := any(k.Example)
		if _, list := value.([]string); list {
			example = []string{k.Example}
		}
		fmt.Fprintf(b, "  # such as %s", TOML(example))
	}
	b.WriteByte('\n')
}

// comment writes a sentence in lines of a readable length.
func comment(b *strings.Builder, before, text string) {
	b.WriteString(before)
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > 80 {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}
