package completion

import (
	"fmt"
	"strings"
)

const fishHead = "# Completion of %[1]s for fish. Written by `%[1]s completion fish`.\n" + `function __%[1]s_at
	set -l at %[1]s
	for word in (commandline -opc)[2..]
		switch "$at $word"
			case %[2]s
				set at "$at $word"
		end
	end
	echo $at
end

complete -c %[1]s -f
`

func fish(name string, places []place) string {
	var b strings.Builder
	fmt.Fprintf(&b, fishHead, name, paths(places, " "))
	for _, p := range places {
		here := fmt.Sprintf("complete -c %s -n %s", name, fishQuote(fmt.Sprintf("test (__%s_at) = %q", name, p.path)))
		for _, c := range p.commands {
			fmt.Fprintf(&b, "%s -a %s -d %s\n", here, c.word, fishQuote(c.help))
		}
		for _, w := range p.args.words {
			fmt.Fprintf(&b, "%s -a %s\n", here, w)
		}
		if p.args.files {
			fmt.Fprintf(&b, "%s -F\n", here)
		}
		for _, f := range p.flags {
			fmt.Fprintf(&b, "%s -l %s", here, strings.TrimPrefix(f.long, "--"))
			if f.short != "" {
				fmt.Fprintf(&b, " -s %s", strings.TrimPrefix(f.short, "-"))
			}
			switch {
			case f.value.files:
				b.WriteString(" -r -F")
			case len(f.value.words) > 0:
				fmt.Fprintf(&b, " -x -a %s", fishQuote(strings.Join(f.value.words, " ")))
			case f.takes:
				b.WriteString(" -x")
			}
			fmt.Fprintf(&b, " -d %s\n", fishQuote(f.help))
		}
	}
	return b.String()
}

// fishQuote is a word that fish takes as it is.
func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
