package access

import "slices"

// index finds those of a command's rules that may be for some arguments, by what
// those begin with: of a hundred patterns most need no look.
type index struct {
	first map[byte][]rule // for arguments that begin so
	other []rule          // for any others
}

func newIndex(list []rule) index {
	x := index{first: make(map[byte][]rule)}
	for _, r := range list {
		for _, s := range starts(r) {
			x.first[s[0]] = nil
		}
	}
	for _, r := range list {
		begin := starts(r)
		for c := range x.first {
			if begin == nil || slices.ContainsFunc(begin, func(s string) bool { return s[0] == c }) {
				x.first[c] = append(x.first[c], r)
			}
		}
		if begin == nil {
			x.other = append(x.other, r)
		}
	}
	return x
}

// rules returns them in the order in which they are written.
func (x index) rules(args string) []rule {
	if args != "" {
		if list, ok := x.first[args[0]]; ok {
			return list
		}
	}
	return x.other
}

// starts are what the arguments that a rule is for begin with; nil: with anything.
func starts(r rule) []string {
	switch r := r.(type) {
	case *patternRule:
		return r.pattern.prefixes
	case browserRule:
		return starts(r.rule)
	}
	return nil
}
