package controlspec

import "strings"

// Arg is one word of a command or event: a plain word, KEY=value or
// KEY="quoted value".
type Arg struct {
	Key    string // before '='; empty if HasKey is false
	Value  string // after '=', or the whole word; unquoted
	HasKey bool
	Quoted bool
}

// String writes the word, quoting a value that was quoted or has to be.
func (a Arg) String() string {
	v := a.Value
	if a.Quoted || strings.ContainsAny(v, " \t\r\n\"\x00") {
		v = Quote(v)
	}
	if a.HasKey {
		return a.Key + "=" + v
	}
	return v
}

// ParseArgs splits s at blanks, respecting quotes. A word is KEY=value if what
// stands before its first '=' is made of letters, digits, '_', '-', '.' and '/';
// so "$FP=name" stays one word.
func ParseArgs(s string) ([]Arg, error) {
	var args []Arg
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "" {
			return args, nil
		}
		var a Arg
		n := 0
		for n < len(s) && keyByte(s[n]) {
			n++
		}
		if n > 0 && n < len(s) && s[n] == '=' {
			a.Key, a.HasKey, s = s[:n], true, s[n+1:]
		}
		if strings.HasPrefix(s, `"`) {
			var err error
			if a.Value, s, err = Unquote(s); err != nil {
				return nil, err
			}
			if s != "" && s[0] != ' ' && s[0] != '\t' {
				return nil, errQuote
			}
			a.Quoted = true
		} else {
			n := strings.IndexAny(s, " \t")
			if n < 0 {
				n = len(s)
			}
			a.Value, s = s[:n], s[n:]
		}
		args = append(args, a)
	}
}

func keyByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || digit(c) || c == '_' || c == '-' || c == '.' || c == '/'
}

// Fields of an event: the leading words, and the keywords behind them.
type fields struct {
	words []string
	kw    map[string]string
}

func parseFields(s string) (fields, error) {
	args, err := ParseArgs(s)
	if err != nil {
		return fields{}, err
	}
	f := fields{kw: make(map[string]string)}
	for _, a := range args {
		if a.HasKey {
			f.kw[a.Key] = a.Value
		} else {
			f.words = append(f.words, a.Value)
		}
	}
	return f, nil
}
