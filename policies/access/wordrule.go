package access

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/el-tor/tops/controlspec"
	"golang.org/x/time/rate"
)

// wordRule is a rule of our own form. It knows the grammar of its command, takes
// it apart into typed words, and has each of them match one of its own.
type wordRule struct {
	words    words
	own      bool // circuits, streams and onion services of the controller only
	redact   bool
	paid     bool // a circuit from 0 becomes a paid one
	rate     *rate.Limiter
	maxBytes int // of a data block; 0: any, up to tor's 1 MiB
	pos      Pos
}

func (r *wordRule) where() Pos { return r.pos }

// words are globs in which '*' is anything.
type words struct {
	all   bool
	exact map[string]bool
	globs []*regexp.Regexp
	fold  map[string]bool // exact, folded
	spans []span
}

// span is a range of ports at the end of a word: Port=80,127.0.0.1:8000-8010.
type span struct {
	prefix      string
	first, last int
}

var spanWord = regexp.MustCompile(`\A(Port=[^*]*[,:])([0-9]{1,5})-([0-9]{1,5})\z`)

func (s span) match(w string) bool {
	rest, ok := strings.CutPrefix(w, s.prefix)
	n, err := strconv.Atoi(rest)
	return ok && err == nil && strconv.Itoa(n) == rest && s.first <= n && n <= s.last
}

func newWords(list []string) (words, error) {
	w := words{exact: make(map[string]bool), fold: make(map[string]bool)}
	for _, s := range list {
		m := spanWord.FindStringSubmatch(s)
		switch {
		case m != nil:
			first, _ := strconv.Atoi(m[2])
			last, _ := strconv.Atoi(m[3])
			if first > last || last > 65535 {
				return w, fmt.Errorf("word %q has no range of ports", s)
			}
			w.spans = append(w.spans, span{m[1], first, last})
		case strings.ContainsAny(s, "\r\n\x00"):
			return w, fmt.Errorf("word %q has a line's end", s)
		case s == "*":
			w.all = true
		case strings.Contains(s, "*"):
			name, path := cutPath(strings.ReplaceAll(regexp.QuoteMeta(s), `\*`, `.*`))
			w.globs = append(w.globs, regexp.MustCompile(`(?s)\A(?i:`+name+`)`+path+`\z`))
		default:
			w.exact[s], w.fold[folded(s)] = true, true
		}
	}
	return w, nil
}

// match takes a word in any case, as tor does with names of options, signals
// and flags, but for what begins with a slash: a file's path, or the rest of a
// GETINFO key.
func (w words) match(s string) bool {
	return w.all || w.exact[s] || w.fold[folded(s)] ||
		slices.ContainsFunc(w.spans, func(r span) bool { return r.match(s) }) ||
		slices.ContainsFunc(w.globs, func(re *regexp.Regexp) bool { return re.MatchString(s) })
}

func folded(s string) string {
	name, path := cutPath(s)
	return strings.ToLower(name) + path
}

// cutPath cuts a word before its first slash.
func cutPath(s string) (name, path string) {
	n := strings.IndexByte(s, '/')
	if n < 0 {
		n = len(s)
	}
	return s[:n], s[n:]
}

// grammar is how the arguments of a command are read.
type grammar int

const (
	plainWords grammar = iota
	options            // SETCONF: KEY or KEY=value, which may be quoted
	onion              // ADD_ONION
	torrc              // LOADCONF: options in a data block
	block              // another data block
)

// grammars are the commands that a profile may name, as tor 0.4.9 and
// tops-control-spec have them.
var grammars = map[string]grammar{
	"GETINFO": plainWords, "GETCONF": plainWords, "SETCONF": options, "RESETCONF": options, "SAVECONF": plainWords,
	"SIGNAL": plainWords, "USEFEATURE": plainWords, "MAPADDRESS": plainWords, "RESOLVE": plainWords,
	"EXTENDCIRCUIT": plainWords, "CLOSECIRCUIT": plainWords, "SETCIRCUITPURPOSE": plainWords,
	"ATTACHSTREAM": plainWords, "CLOSESTREAM": plainWords, "REDIRECTSTREAM": plainWords,
	"ADD_ONION": onion, "DEL_ONION": plainWords, "HSFETCH": plainWords, "HSPOST": block,
	"ONION_CLIENT_AUTH_ADD": plainWords, "ONION_CLIENT_AUTH_REMOVE": plainWords, "ONION_CLIENT_AUTH_VIEW": plainWords,
	"LOADCONF": torrc, "POSTDESCRIPTOR": block, "TAKEOWNERSHIP": plainWords, "DROPOWNERSHIP": plainWords, "DROPGUARDS": plainWords,
	"DROPTIMEOUTS": plainWords, "EXTENDPAIDCIRCUIT": block,
}

// check refuses a rule that its command cannot keep.
func (r *wordRule) check(name string) error {
	g, known := grammars[name]
	switch {
	case name == "SETEVENTS":
		return errors.New("events are allowed in [events]")
	case free[name]:
		return errors.New("authentication and QUIT are always allowed")
	case !known:
		return errors.New("no such command")
	case r.own && !ownCommands[name]:
		return errors.New("of circuits, streams and onion services alone some are a controller's own")
	case r.paid && name != "EXTENDCIRCUIT":
		return errors.New("paid is for EXTENDCIRCUIT")
	case r.maxBytes > 0 && g != block && g != torrc:
		return errors.New("max_bytes is for commands with a data block")
	}
	return nil
}

func (r *wordRule) judge(g *Guard, cmd command) (verdict, bool, string) {
	gram := grammars[cmd.name]
	if cmd.block != (gram == torrc || gram == block) && cmd.name != "EXTENDPAIDCIRCUIT" {
		return verdict{}, false, "with or without a data block, not so"
	}
	if r.maxBytes > 0 && len(cmd.data) > r.maxBytes {
		return verdict{}, false, fmt.Sprintf("its data block has more than %d bytes", r.maxBytes)
	}
	v := verdict{pos: r.pos, fixed: r.rate == nil && !r.own && !cmd.block}
	list, err := typed(gram, cmd)
	if err != nil {
		return verdict{}, false, err.Error()
	}
	for _, w := range list {
		if !r.words.match(w) {
			return verdict{}, false, controlspec.Quote(clip(hide(cmd.name, w))) + " is not allowed"
		}
	}
	if gram == options && strings.Contains(cmd.args, `"`) {
		v.line = cmd.head + canonical(cmd.args) // what was judged, and nothing that may be read otherwise
	}
	if r.own {
		if why := g.own.mayName(cmd); why != "" {
			return verdict{}, false, why
		}
	}
	if why := g.room(cmd); why != "" {
		return verdict{}, false, why
	}
	if r.rate != nil && !g.dry && !r.rate.Allow() {
		return verdict{}, false, "more than " + describe(r.rate)
	}
	v.reply = g.follow(cmd, r.own)
	if r.redact {
		v.reply = then(v.reply, redactLine)
	}
	v.fixed = v.fixed && v.reply == nil && gram != onion && gram != block
	return v, true, ""
}

// then is first and second, one after the other.
func then(first, second func(controlspec.Line) []byte) func(controlspec.Line) []byte {
	if first == nil {
		return second
	}
	return func(l controlspec.Line) []byte {
		if l.Raw = first(l); len(l.Raw) == 0 {
			return nil
		}
		return second(l)
	}
}
