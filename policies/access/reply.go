package access

import (
	"bytes"
	"regexp"

	"github.com/el-tor/tops/controlspec"
)

// rewriteLine gives one line of a reply or event, without its end, to the first
// rewrite that matches. What separates the lines of a reply stays as it was,
// whatever a replacement says: a profile cannot make a reply without an end. An
// empty line in the midst of a reply is left out.
func rewriteLine(list []rewrite, l controlspec.Line, id Identity) []byte {
	if l.Dot {
		return l.Raw
	}
	text := bytes.TrimRight(l.Raw, "\r\n")
	eol := l.Raw[len(text):]
	to := rewriteText(list, string(text), id)
	if to == string(text) {
		return l.Raw
	}
	out := []byte(oneLine(to))
	switch {
	case l.Data:
		if bytes.Equal(out, []byte(".")) {
			out = []byte("..")
		}
	case len(out) == 0 && !l.End && l.Sep == '-':
		return nil
	case len(text) >= 4 && isReplyLine(out) && (out[0] == '6') == l.Async:
		out[3] = text[3]
	default:
		out = append(append([]byte(nil), text[:min(4, len(text))]...), out...)
	}
	return append(out, eol...)
}

func isReplyLine(b []byte) bool {
	return len(b) >= 4 && digit(b[0]) && digit(b[1]) && digit(b[2]) && (b[3] == ' ' || b[3] == '-' || b[3] == '+')
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// oneLine takes out what would begin another line.
func oneLine(s string) string {
	return string(bytes.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || r == 0 {
			return ' '
		}
		return r
	}, []byte(s)))
}

// secretWords are what redact takes out of replies: private keys of onion
// services and their clients, and what tor's options hold of passwords.
var secretWords = regexp.MustCompile(`(?i)(PrivateKey=[A-Z0-9-]+:|x25519:|(?:HashedControlPassword|__HashedControlSessionPassword|` +
	`Socks5ProxyPassword|HTTPS?ProxyAuthenticator)[= ])("(?:[^"\\]|\\.)*"?|\S+)`)

// redactLine is the line without secrets.
func redactLine(l controlspec.Line) []byte {
	return secretWords.ReplaceAll(l.Raw, []byte("${1}redacted"))
}
