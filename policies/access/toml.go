package access

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/BurntSushi/toml"
)

// tomlProfile is one of our own profiles, as its file has it.
type tomlProfile struct {
	Profile string    `toml:"profile"`
	About   string    `toml:"about"`
	Trusted bool      `toml:"trusted"`
	Rate    rateLimit `toml:"rate"`

	Match struct {
		Users       []string `toml:"users"`
		Executables []string `toml:"executables"`
		AppArmor    []string `toml:"apparmor"`
		Hosts       hostList `toml:"hosts"`
		Listeners   []string `toml:"listeners"`
		Anybody     bool     `toml:"anybody"`
	} `toml:"match"`

	Commands map[string]*tomlRule  `toml:"commands"`
	Events   map[string]*tomlEvent `toml:"events"`

	Limits struct {
		Circuits int   `toml:"circuits"`
		Onions   int   `toml:"onions"`
		DayMsat  int64 `toml:"day_msat"`
	} `toml:"limits"`
}

type hostList []netip.Prefix

func (h *hostList) UnmarshalTOML(v any) error {
	list, err := stringList(v)
	if err != nil {
		return err
	}
	*h, err = parseHosts(list)
	return err
}

type tomlEvent struct{ eventRule }

func (e *tomlEvent) UnmarshalTOML(v any) error {
	switch v {
	case true:
	case "own":
		e.own = true
	case "suppress":
		e.suppress = true
	default:
		return errors.New(`an event is true, "own" or "suppress"`)
	}
	return nil
}

// tomlRule is what stands behind a command: true, "own", a list of words, or a
// table of these.
type tomlRule struct{ wordRule }

func (r *tomlRule) UnmarshalTOML(v any) (err error) {
	switch v := v.(type) {
	case bool:
		if !v {
			return errors.New("what is not named is not allowed; leave the command out")
		}
		r.words, err = newWords([]string{"*"})
	case string:
		err = r.setWhose(v)
		if err == nil {
			r.words, err = newWords([]string{"*"})
		}
	case []any:
		var list []string
		if list, err = stringList(v); err == nil {
			r.words, err = newWords(list)
		}
	case map[string]any:
		return r.table(v)
	default:
		err = errors.New(`a command is true, "own", a list of words, or a table`)
	}
	return err
}

func (r *tomlRule) setWhose(v any) error {
	if v != "own" && v != "any" {
		return errors.New(`"own" or "any" was expected`)
	}
	r.own = v == "own"
	return nil
}

func (r *tomlRule) table(t map[string]any) (err error) {
	words := []string{"*"}
	for key, v := range t {
		switch key {
		case "words":
			words, err = stringList(v)
		case "whose":
			err = r.setWhose(v)
		case "rate":
			var l rateLimit
			err = l.UnmarshalTOML(v)
			r.rate = l.Limiter
		case "redact":
			ok := false
			if r.redact, ok = v.(bool); !ok {
				err = errors.New("redact is true or false")
			}
		case "paid":
			ok := false
			if r.paid, ok = v.(bool); !ok {
				err = errors.New("paid is true or false")
			}
		case "max_bytes":
			n, ok := v.(int64)
			if r.maxBytes = int(n); !ok || n < 1 || n > 1<<20 {
				err = errors.New("max_bytes is a number up to 1048576")
			}
		default:
			err = fmt.Errorf("unknown key %q; words, whose, rate, redact, paid and max_bytes are known", key)
		}
		if err != nil {
			return err
		}
	}
	r.words, err = newWords(words)
	return err
}

func stringList(v any) ([]string, error) {
	list, ok := v.([]any)
	out := make([]string, 0, len(list))
	for _, e := range list {
		s, isString := e.(string)
		out, ok = append(out, s), ok && isString
	}
	if !ok {
		return nil, errors.New("a list of strings was expected")
	}
	return out, nil
}

// parseTOML reads a file of our own form: one profile.
func parseTOML(name, file string, text []byte) (*Profile, error) {
	var t tomlProfile
	meta, err := toml.Decode(string(text), &t)
	var pe toml.ParseError
	if errors.As(err, &pe) {
		msg := pe.Message
		if pe.LastKey != "" {
			msg = pe.LastKey + ": " + msg
		}
		return nil, Pos{file, pe.Position.Line}.errorf("%s", msg)
	}
	if err != nil {
		return nil, Pos{file, 0}.errorf("%w", err)
	}
	locate := func(key ...string) Pos { return Pos{file, lineOf(string(text), key)} }
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, locate(unknown[0]...).errorf("unknown key %q", unknown[0].String())
	}
	if t.Profile != "" {
		name = t.Profile
	}
	p := &Profile{
		Name: name, Pos: Pos{file, 1}, trusted: t.Trusted, rate: t.Rate.Limiter,
		circuits: t.Limits.Circuits, onions: t.Limits.Onions, dayMsat: t.Limits.DayMsat,
		rules: make(map[string][]rule), events: make(map[string]*eventRule),
	}
	m := t.Match
	p.match = match{
		users: normalUsers(m.Users), exes: m.Executables, apparmor: m.AppArmor, hosts: m.Hosts, listeners: normalListeners(m.Listeners),
		local:  m.Anybody || len(m.Users)+len(m.Executables)+len(m.AppArmor) > 0 || len(m.Hosts) == 0 && len(m.Listeners) > 0,
		remote: len(m.Hosts) > 0,
	}
	if !p.match.local && !p.match.remote {
		return nil, p.Pos.errorf("the profile is for nobody: [match] needs users, executables, apparmor, hosts, listeners or anybody = true")
	}
	if t.Limits.Circuits < 0 || t.Limits.Onions < 0 || t.Limits.DayMsat < 0 {
		return nil, locate("limits").errorf("limits cannot be negative")
	}
	for cmd, r := range t.Commands {
		r.pos = locate("commands", cmd)
		name := strings.ToUpper(cmd)
		if err := r.check(name); err != nil {
			return nil, r.pos.errorf("%s: %w", cmd, err)
		}
		if p.rules[name] != nil {
			return nil, r.pos.errorf("command %s is there twice", name)
		}
		p.rules[name] = []rule{&r.wordRule}
		p.pays = p.pays || r.paid
	}
	for ev, e := range t.Events {
		e.pos = locate("events", ev)
		name := strings.ToUpper(ev)
		if e.own && !ownEvents[name] {
			return nil, e.pos.errorf(`%s: of circuits and streams alone some are a controller's "own"`, ev)
		}
		if p.events[name] != nil {
			return nil, e.pos.errorf("event %s is there twice", name)
		}
		e.redact = name == "CONF_CHANGED"
		p.events[name] = &e.eventRule
	}
	return p, nil
}

// lineOf finds the line in which a key was set, since the decoder tells it in
// its own errors only; 0: it is not found.
func lineOf(text string, key []string) int {
	table, last := strings.Join(key[:len(key)-1], "."), key[len(key)-1]
	at, n := "", 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			at = strings.Trim(strings.TrimSpace(strings.SplitN(line, "#", 2)[0]), "[]")
			if at == strings.Join(key, ".") {
				return n
			}
			continue
		}
		k, _, ok := strings.Cut(line, "=")
		k = strings.Trim(strings.TrimSpace(k), `"'`)
		if ok && (at == table && k == last || at == "" && k == strings.Join(key, ".")) {
			return n
		}
	}
	return 0
}
