package access

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/el-tor/tops/controlspec"
)

// Learner lets everything pass and keeps what was said, to write the profile
// that would have sufficed. Arguments that are secret, or another each time, are
// kept as what they are: "ED25519-V3:*".
type Learner struct {
	mu       sync.Mutex
	commands map[string]map[string]bool // guarded by mu: words by command
	events   map[string]bool            // guarded by mu
}

// maxLearned bounds the words kept of one command; beyond it the command is
// learned as allowed whole, for a human to narrow.
const maxLearned = 200

// Guard returns what learns from one controller.
func (l *Learner) Guard() *LearnerGuard { return &LearnerGuard{l} }

// LearnerGuard stands where a [Guard] would.
type LearnerGuard struct{ learner *Learner }

// Profile is "learning".
func (*LearnerGuard) Profile() string { return "learning" }

// Trusted is false: whoever teaches authenticates itself.
func (*LearnerGuard) Trusted() bool { return false }

// Pays reports that nothing is paid for while a profile is learned.
func (*LearnerGuard) Pays() bool { return false }

// Built does nothing.
func (*LearnerGuard) Built(string) {}

// Hears is true.
func (*LearnerGuard) Hears(string) bool { return true }

// FiltersEvents is false.
func (*LearnerGuard) FiltersEvents() bool { return false }

// Event lets the line pass.
func (*LearnerGuard) Event(l controlspec.Line) []byte { return l.Raw }

// Command keeps the command and lets it pass.
func (g *LearnerGuard) Command(raw []byte, _ func(string) (controlspec.Reply, error)) ([]byte, func(controlspec.Line) []byte, error) {
	if cmd, err := cut(raw); err == nil {
		g.learner.learn(cmd)
	}
	return raw, nil, nil
}

func (l *Learner) learn(cmd command) {
	gram, known := grammars[cmd.name]
	l.mu.Lock()
	defer l.mu.Unlock()
	if cmd.name == "SETEVENTS" {
		if l.events == nil {
			l.events = make(map[string]bool)
		}
		for _, w := range cmd.words() {
			if w = strings.ToUpper(w); w != "EXTENDED" && len(l.events) < maxLearned && eventName(w) {
				l.events[w] = true
			}
		}
		return
	}
	if !known {
		return
	}
	words, err := typed(gram, cmd)
	if err != nil {
		return
	}
	if l.commands == nil {
		l.commands = make(map[string]map[string]bool)
	}
	seen := l.commands[cmd.name]
	if seen == nil {
		seen = make(map[string]bool)
		l.commands[cmd.name] = seen
	}
	for _, w := range words {
		if seen["*"] {
			break
		}
		if w = general(cmd.name, w); w == "*" || !seen[w] && len(seen) == maxLearned {
			clear(seen)
			w = "*"
		}
		seen[w] = true
	}
}

func eventName(w string) bool {
	return strings.Trim(w, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") == ""
}

// general puts '*' for what is secret or will be another the next time.
func general(name, w string) string {
	switch name {
	case "ADD_ONION":
		if kind, _, ok := strings.Cut(w, ":"); ok && !strings.Contains(w, "=") && kind != "NEW" {
			return kind + ":*"
		}
		if k, _, ok := strings.Cut(w, "="); ok && strings.HasPrefix(k, "ClientAuth") {
			return k + "=*"
		}
	case "GETINFO":
		for _, family := range []string{"ns/id/", "ns/name/", "desc/id/", "desc/name/", "md/id/", "md/name/", "ip-to-country/",
			"hs/client/desc/id/", "hs/service/desc/id/", "tops/terms/", "tops/paystream/", "tops/circuit/", "extra-info/digest/"} {
			if strings.HasPrefix(w, family) {
				return family + "*"
			}
		}
	case "SETCONF", "RESETCONF", "LOADCONF":
		if k, _, ok := strings.Cut(w, "="); ok && secretWords.MatchString(w) {
			return k + "=*"
		}
	case "SIGNAL", "GETCONF", "USEFEATURE", "SAVECONF":
	default:
		return "*"
	}
	return w
}

// Profile writes what was learned as a profile of our own form, for the user
// named.
func (l *Learner) Profile(name, user string) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b bytes.Buffer
	b.WriteString("# What a controller was seen to need. Narrow it before you rely on it: '*' is anything,\n" +
		"# and \"own\" keeps a command to circuits, streams and onion services of the controller.\n")
	b.WriteString("profile = " + tomlString(name) + "\n\n[match]\nusers = [" + tomlString(user) + "]\n\n[commands]\n")
	for _, cmd := range slices.Sorted(maps.Keys(l.commands)) {
		words := slices.Sorted(maps.Keys(l.commands[cmd]))
		if len(words) == 1 && words[0] == "*" {
			b.WriteString(cmd + " = true\n")
			continue
		}
		for i, w := range words {
			words[i] = tomlString(w)
		}
		b.WriteString(cmd + " = [" + strings.Join(words, ", ") + "]\n")
	}
	b.WriteString("\n[events]\n")
	for _, ev := range slices.Sorted(maps.Keys(l.events)) {
		b.WriteString(ev + " = true\n")
	}
	return b.Bytes()
}

// tomlString writes a basic string of TOML.
func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(s, "*") {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			b.WriteByte('*')
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
