package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/BurntSushi/toml"
)

// Load reads a configuration file and fills in the defaults.
func Load(path string) (*Config, error) {
	l, err := Sources{File: path}.Load()
	if err != nil {
		return nil, err
	}
	return l.Config, nil
}

// Parse reads the text of a configuration.
func Parse(text string) (*Config, error) {
	l := &Loaded{Origins: map[string]Origin{}}
	if err := l.parse("", text); err != nil {
		return nil, err
	}
	return l.Config, l.Config.check()
}

// Sources are where a configuration comes from. What stands later wins.
type Sources struct {
	File    string   // tops.toml
	Environ []string // as os.Environ has it: TOPS_CLIENT_DAY_MSAT=100000
	Set     []string // of the command line: client.day_msat=100000
}

// Origin is where a value comes from.
type Origin struct {
	Source string `json:"source"`          // default, file, environment or flag
	Where  string `json:"where,omitempty"` // file and line, or the variable
}

func (o Origin) String() string {
	if o.Where == "" {
		return o.Source
	}
	return o.Source + " " + o.Where
}

// Loaded is a configuration, and where each of its values comes from.
type Loaded struct {
	*Config
	Origins map[string]Origin // by the key's name; what is not in it is a default
}

// Load puts a configuration together, and says everything that is wrong with it.
func (s Sources) Load() (*Loaded, error) {
	text, err := os.ReadFile(s.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w (`tops config example` prints a configuration to begin with)", err)
	}
	if err != nil {
		return nil, err
	}
	l := &Loaded{Origins: map[string]Origin{}}
	if err := l.parse(s.File, string(text)); err != nil {
		return nil, fmt.Errorf("%s: %w", s.File, err)
	}
	if err := errors.Join(l.environ(s.Environ), l.flags(s.Set)); err != nil {
		return nil, err
	}
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.File, err)
	}
	return l, nil
}

// parse reads the file over the defaults.
func (l *Loaded) parse(file, text string) error {
	// The tables that are there decide about the roles, so look before defaults
	// are filled in.
	var tree map[string]any
	if _, err := toml.Decode(text, &tree); err != nil {
		return err
	}
	l.Config = defaults()
	if _, ok := tree["client"]; !ok {
		l.Client = nil
	}
	if _, ok := tree["relay"]; !ok {
		l.Relay = nil
	}
	meta, err := toml.Decode(text, l.Config)
	if err != nil {
		return err
	}
	var wrong []error
	for _, key := range meta.Undecoded() {
		wrong = append(wrong, fmt.Errorf("line %d: %w", lineOf(text, key), unknown(key.String(), Keys(), Key.name)))
	}
	for _, key := range meta.Keys() {
		name := strings.ToLower(key.String()) // as the decoder finds fields
		l.Origins[name] = Origin{"file", fmt.Sprintf("%s:%d", file, lineOf(text, key))}
	}
	return errors.Join(wrong...)
}

// environ takes what the environment overrides. An empty variable is none, as in
// a compose file. Variables of TOPS_ that are nobody's are left alone, unless they
// look like a key of ours that is misspelt.
func (l *Loaded) environ(environ []string) error {
	keys, wrong := Keys(), []error(nil)
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "TOPS_") || value == "" {
			continue
		}
		key, ok := find(name, keys, Key.Env)
		switch {
		case ok:
			wrong = append(wrong, l.override(key, value, Origin{"environment", name}))
		case nearest(name, keys, Key.Env) != "" || inTable(name):
			wrong = append(wrong, fmt.Errorf("environment: %w", unknown(name, keys, Key.Env)))
		}
	}
	return errors.Join(wrong...)
}

// inTable reports whether a variable can only be meant for one of our tables.
func inTable(name string) bool {
	for _, t := range Tables() {
		if t.Name != "" && strings.HasPrefix(name, Key{Name: t.Name}.Env()+"_") {
			return true
		}
	}
	return false
}

// flags takes what the command line overrides.
func (l *Loaded) flags(set []string) error {
	keys, wrong := Keys(), []error(nil)
	for _, entry := range set {
		name, value, ok := strings.Cut(entry, "=")
		if !ok {
			wrong = append(wrong, fmt.Errorf("--set %q: want KEY=VALUE, such as client.day_msat=100000", entry))
			continue
		}
		key, ok := find(name, keys, Key.name)
		if !ok {
			wrong = append(wrong, fmt.Errorf("--set: %w", unknown(name, keys, Key.name)))
			continue
		}
		wrong = append(wrong, l.override(key, value, Origin{Source: "flag", Where: "--set"}))
	}
	return errors.Join(wrong...)
}

func (l *Loaded) override(k Key, value string, from Origin) error {
	if err := k.set(l.Config, value); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	l.Origins[k.Name] = from
	return nil
}

// lineOf is the line where a key is written, 0 if it cannot be told.
func lineOf(text string, key toml.Key) int {
	table, inTable := "", false
	parent, name := strings.Join(key[:len(key)-1], "."), key[len(key)-1]
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if head, ok := strings.CutPrefix(line, "["); ok {
			head, _, _ = strings.Cut(strings.TrimPrefix(head, "["), "]")
			if table, inTable = strings.TrimSpace(head), true; table == strings.Join(key, ".") {
				return i + 1
			}
			continue
		}
		word, _, ok := strings.Cut(line, "=")
		if word = strings.Trim(strings.TrimSpace(word), `"'`); !ok {
			continue
		}
		if table == parent && word == name || !inTable && word == strings.Join(key, ".") {
			return i + 1
		}
	}
	return 0
}
