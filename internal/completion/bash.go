package completion

import (
	"fmt"
	"strings"
)

// bash splits --flag=value into three words.
const bashHead = "# Completion of %[1]s for bash. Written by `%[1]s completion bash`.\n" + `_%[1]s() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at=%[1]s words= files= i
	if [[ $cur == = ]]; then
		cur=
	elif [[ $prev == = ]]; then
		prev=${COMP_WORDS[COMP_CWORD-2]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		case "$at ${COMP_WORDS[i]}" in
		%[2]s) at+=" ${COMP_WORDS[i]}" ;;
		esac
	done
	case $at in
`

const bashTail = `	esac
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
	if [[ -n $files && $cur != -* ]]; then
		compopt -o filenames
		COMPREPLY+=($(compgen -f -- "$cur"))
	elif [[ ${COMPREPLY[0]} == *= ]]; then
		compopt -o nospace
	fi
}
complete -F _%[1]s %[1]s
`

func bash(name string, places []place) string {
	var b strings.Builder
	fmt.Fprintf(&b, bashHead, name, paths(places, " | "))
	for _, p := range places {
		fmt.Fprintf(&b, "\t%s)\n\t\tcase $prev in\n", quote(p.path))
		words := []string{}
		for _, c := range p.commands {
			words = append(words, c.word)
		}
		for _, f := range p.flags {
			words = append(words, f.names()...)
			if f.takes {
				fmt.Fprintf(&b, "\t\t%s) %s ;;\n", strings.Join(f.names(), " | "), offer(f.value))
			}
		}
		args := value{files: p.args.files, words: append(words, p.args.words...)}
		fmt.Fprintf(&b, "\t\t*) %s ;;\n\t\tesac\n\t\t;;\n", offer(args))
	}
	fmt.Fprintf(&b, bashTail, name)
	return b.String()
}

func offer(v value) string {
	s := "words=" + quote(strings.Join(v.words, " "))
	if v.files {
		s += " files=yes"
	}
	return s
}
