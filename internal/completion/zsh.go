package completion

import (
	"fmt"
	"strings"
)

const zshHead = "#compdef %[1]s\n# Completion of %[1]s for zsh. Written by `%[1]s completion zsh`.\n" + `_%[1]s() {
	local at=%[1]s prev=$words[CURRENT-1] i
	local -a commands flags
	if [[ $PREFIX == --*=* ]]; then
		prev=${PREFIX%%%%=*}
		compset -P '*='
	fi
	for ((i = 2; i < CURRENT; i++)); do
		case "$at $words[i]" in
		%[2]s) at+=" $words[i]" ;;
		esac
	done
	case $at in
`

const zshTail = `	esac
	(( $#commands )) && _describe -t commands command commands
	_describe -o -t flags flag flags
}
if [[ $funcstack[1] == _%[1]s ]]; then
	_%[1]s "$@"
else
	compdef _%[1]s %[1]s
fi
`

func zsh(name string, places []place) string {
	var b strings.Builder
	fmt.Fprintf(&b, zshHead, name, paths(places, " | "))
	for _, p := range places {
		fmt.Fprintf(&b, "\t%s)\n\t\tcase $prev in\n", quote(p.path))
		var commands, flags []choice
		commands = append(commands, p.commands...)
		for _, f := range p.flags {
			for _, n := range f.names() {
				flags = append(flags, choice{n, f.help})
			}
			if f.takes {
				fmt.Fprintf(&b, "\t\t%s) %s return ;;\n", strings.Join(f.names(), " | "), zshValue(f.value))
			}
		}
		b.WriteString("\t\tesac\n")
		for _, w := range p.args.words {
			commands = append(commands, choice{w, ""})
		}
		described(&b, "commands", commands)
		described(&b, "flags", flags)
		if p.args.files {
			b.WriteString("\t\t_files\n")
		}
		b.WriteString("\t\t;;\n")
	}
	fmt.Fprintf(&b, zshTail, name)
	return b.String()
}

func zshValue(v value) string {
	s := ""
	if v.files {
		s += "_files; "
	}
	if len(v.words) > 0 {
		s += "compadd -S '' -- " + quoted(v.words) + "; "
	}
	return s
}

// described writes an array as _describe wants it.
func described(b *strings.Builder, array string, list []choice) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "\t\t%s=(\n", array)
	for _, c := range list {
		text := strings.ReplaceAll(c.word, ":", `\:`)
		if c.help != "" {
			text += ":" + c.help
		}
		fmt.Fprintf(b, "\t\t\t%s\n", quote(text))
	}
	b.WriteString("\t\t)\n")
}
