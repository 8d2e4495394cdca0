package access

import (
	"errors"
	"strconv"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// command is one command of a controller, cut as tor cuts it.
type command struct {
	name  string // upper case, without '+'
	head  string // of the line: '+', the name as it was written, and the blanks behind it
	args  string // the rest of the line, trailing blanks included
	block bool
	data  string // of the data block, dots unstuffed
}

// cut reads a command with its data block. Control characters other than a tab
// are refused, since they are blanks to some and not to others.
func cut(raw []byte) (command, error) {
	line, rest, _ := strings.Cut(string(raw), "\n")
	line = strings.TrimSuffix(line, "\r")
	var c command
	for i := range len(line) {
		if b := line[i]; b < ' ' && b != '\t' || b == 0x7f {
			return c, controlspec.Errorf(510, "Control characters are refused in a command")
		}
	}
	c.block = strings.HasPrefix(line, "+")
	n := strings.IndexAny(line, " \t")
	if n < 0 {
		n = len(line)
	}
	c.name = strings.ToUpper(strings.TrimPrefix(line[:n], "+"))
	c.args = strings.TrimLeft(line[n:], " \t")
	c.head = line[:len(line)-len(c.args)]
	if !c.block {
		return c, nil
	}
	var data strings.Builder
	for l := range strings.Lines(rest) {
		l = strings.TrimSuffix(strings.TrimSuffix(l, "\n"), "\r")
		if l == "." { // ".\r\r\n" is no end to tor
			break
		}
		data.WriteString(strings.TrimPrefix(l, "."))
		data.WriteByte('\n')
	}
	c.data = data.String()
	return c, nil
}

// words splits the arguments of commands that have plain words.
func (c command) words() []string {
	return strings.FieldsFunc(c.args, func(r rune) bool { return r == ' ' || r == '\t' })
}

// setting is one word of SETCONF and RESETCONF.
type setting struct {
	key   string
	raw   string // value as it was written, quotes included
	value string
	set   bool // there is a '='
}

// settings splits the arguments as tor does: a value that begins with a quote
// ends with one, another ends at a blank.
func settings(s string) ([]setting, error) {
	var out []setting
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "" {
			return out, nil
		}
		var v setting
		n := strings.IndexAny(s, "= \t")
		if n < 0 {
			n = len(s)
		}
		v.key, s = s[:n], s[n:]
		if strings.HasPrefix(s, "=") {
			v.set, s = true, s[1:]
			v.raw = word(s)
			v.value = v.raw
			rest := s[len(v.raw):]
			if strings.HasPrefix(s, `"`) {
				var err error
				if v.value, rest, err = controlspec.Unquote(s); err != nil || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
					return nil, errors.New("malformed quoted string")
				}
				v.raw = s[:len(s)-len(rest)]
			}
			s = rest
		}
		if v.key == "" || strings.Contains(v.key, `"`) {
			return nil, errors.New("malformed option")
		}
		out = append(out, v)
	}
}

func word(s string) string {
	if n := strings.IndexAny(s, " \t"); n >= 0 {
		return s[:n]
	}
	return s
}

// torID reads a circuit's or stream's id in the one form that tor writes.
func torID(s string) (string, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return s, err == nil && strconv.FormatUint(n, 10) == s
}
