package controlspec

import (
	"errors"
	"strings"
)

var errQuote = errors.New("malformed quoted string")

// Quote writes s as a QuotedString with C-style escapes, the form that tor
// itself writes and reads (control-spec §2.1.1, CString).
func Quote(s string) string { return string(AppendQuote(nil, s)) }

// AppendQuote appends Quote(s).
func AppendQuote(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < ' ' || c >= 0x7f:
			b = append(b, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// Unquote reads the QuotedString that s begins with and returns its value and
// what follows it. Octal (\1 to \377), hexadecimal (\x41) and \n \r \t are
// decoded; before any other character a backslash only takes its meaning away.
func Unquote(s string) (value, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		return "", s, errQuote
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '"':
			return b.String(), s[i+1:], nil
		case c != '\\':
			b.WriteByte(c)
			continue
		}
		if i++; i == len(s) {
			break
		}
		switch c = s[i]; {
		case c == 'n':
			b.WriteByte('\n')
		case c == 'r':
			b.WriteByte('\r')
		case c == 't':
			b.WriteByte('\t')
		case c == 'x' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0:
			b.WriteByte(byte(unhex(s[i+1])<<4 | unhex(s[i+2])))
			i += 2
		case '0' <= c && c <= '7':
			n, j := 0, i
			for ; j < len(s) && j < i+3 && '0' <= s[j] && s[j] <= '7'; j++ {
				n = n<<3 | int(s[j]-'0')
			}
			if n > 255 {
				return "", s, errQuote
			}
			b.WriteByte(byte(n))
			i = j - 1
		default:
			b.WriteByte(c)
		}
	}
	return "", s, errQuote
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
