package config

import (
	"fmt"
	"strings"
)

func (k Key) name() string { return k.Name }

// find looks a key up by one of its names.
func find(name string, keys []Key, of func(Key) string) (Key, bool) {
	for _, k := range keys {
		if of(k) == name {
			return k, true
		}
	}
	return Key{}, false
}

// unknown is the error for a name that is no key's.
func unknown(name string, keys []Key, of func(Key) string) error {
	if near := nearest(name, keys, of); near != "" {
		return fmt.Errorf("unknown key %q: did you mean %q?", name, near)
	}
	return fmt.Errorf("unknown key %q", name)
}

// nearest is the key that is most like a name: the same word in another table,
// or one that a few slips of the finger away; empty if there is none.
func nearest(name string, keys []Key, of func(Key) string) string {
	best, least := "", 1+max(2, len(name)/6)
	for _, k := range keys {
		if d := distance(name, of(k)); d < least {
			best, least = of(k), d
		}
	}
	if best != "" {
		return best
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	for _, k := range keys {
		if k.Name[strings.LastIndexByte(k.Name, '.')+1:] == last {
			return of(k)
		}
	}
	return ""
}

// distance is Levenshtein's: how many letters to add, drop or change.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
