package access

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync/atomic"
)

// Set is the profiles of some files. No two are for the same controller.
type Set struct {
	Profiles []*Profile
}

// Parse reads one profile file: onion-grater's form if its name ends in .yml or
// .yaml, our own if in .toml. Errors name file and line.
func Parse(file string, text []byte) ([]*Profile, error) {
	base := filepath.Base(file)
	name := strings.TrimSuffix(base, filepath.Ext(base))
	var (
		list []*Profile
		err  error
	)
	switch filepath.Ext(base) {
	case ".yml", ".yaml":
		list, err = parseGrater(name, file, text)
	case ".toml":
		var p *Profile
		p, err = parseTOML(name, file, text)
		list = []*Profile{p}
	default:
		err = fmt.Errorf("%s: neither .toml nor .yml", file)
	}
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		p.finish()
	}
	return list, nil
}

// finish finds out what events need a look, and which rules a command needs.
func (p *Profile) finish() {
	p.filters = p.browser
	for _, e := range p.events {
		p.filters = p.filters || e.own || e.redact || len(e.rewrites) > 0
	}
	if p.browser {
		p.rules["GETINFO"] = browserRules(p.rules["GETINFO"])
	}
	p.index = make(map[string]index, len(p.rules))
	for name, list := range p.rules {
		p.index[name] = newIndex(list)
	}
}

// Load reads profile files, and those in directories.
func Load(paths ...string) (*Set, error) {
	files, err := expand(paths)
	if err != nil {
		return nil, err
	}
	s := &Set{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		list, err := Parse(f, text)
		if err != nil {
			return nil, err
		}
		s.Profiles = append(s.Profiles, list...)
	}
	return s, s.check()
}

// expand replaces directories by the profiles in them.
func expand(paths []string) ([]string, error) {
	var files []string
	for _, p := range paths {
		if filepath.Ext(p) == ".vectors" { // named by a shell's '*'
			continue
		}
		list, err := os.ReadDir(p)
		if err != nil {
			if fi, serr := os.Stat(p); serr == nil && !fi.IsDir() {
				files = append(files, p)
				continue
			}
			return nil, err
		}
		found := false
		for _, e := range list {
			switch filepath.Ext(e.Name()) {
			case ".toml", ".yml", ".yaml":
				files, found = append(files, filepath.Join(p, e.Name())), true
			}
		}
		if !found {
			return nil, &fs.PathError{Op: "load profiles", Path: p, Err: errors.New("there is none")}
		}
	}
	return files, nil
}

// check refuses two profiles that are for the same controller.
func (s *Set) check() error {
	for i, p := range s.Profiles {
		for _, q := range s.Profiles[:i] {
			if p.match.overlaps(q.match) {
				return p.Pos.errorf("profile %q is for the same controllers as profile %q at %s", p.Name, q.Name, q.Pos)
			}
		}
	}
	return nil
}

// Match returns the profile for a controller, nil if there is none.
func (s *Set) Match(id Identity) *Profile {
	for _, p := range s.Profiles {
		if p.match.matches(id) {
			return p
		}
	}
	return nil
}

// DayMsat are the budgets for paid circuits in any 24 hours, by profile, of the
// profiles that have one: for whoever pays, on the account of the profile.
func (s *Set) DayMsat() map[string]int64 {
	m := make(map[string]int64)
	for _, p := range s.Profiles {
		if p.dayMsat > 0 {
			m[p.Name] = p.dayMsat
		}
	}
	return m
}

// Names are the profiles' names, in order.
func (s *Set) Names() []string {
	var names []string
	for _, p := range s.Profiles {
		names = append(names, p.Name)
	}
	sort.Strings(names)
	return names
}

// Policy is the set in force. It may be used by many goroutines.
type Policy struct {
	paths []string
	set   atomic.Pointer[Set]
}

// Open loads a policy that can be reloaded.
func Open(paths ...string) (*Policy, error) {
	p := &Policy{paths: paths}
	return p, p.Reload()
}

// Reload reads the files again and puts them in force, all or nothing, for the
// controllers that are connected too.
func (p *Policy) Reload() error {
	s, err := p.Read()
	if err != nil {
		return err
	}
	p.Use(s)
	return nil
}

// Read reads the files again, for [Policy.Use]; nothing changes yet.
func (p *Policy) Read() (*Set, error) { return Load(p.paths...) }

// Use puts a set in force, for the controllers that are connected too.
func (p *Policy) Use(s *Set) { p.set.Store(s) }

// Set is what is in force.
func (p *Policy) Set() *Set { return p.set.Load() }

// Admit returns what guards a controller. The error is a sentence that may be
// told to a controller that no profile is for.
func (p *Policy) Admit(id Identity) (*Guard, error) {
	id.Listener = normalListener(id.Listener)
	set := p.set.Load()
	profile := set.Match(id)
	if profile == nil {
		return nil, fmt.Errorf("no access profile is for %s", id)
	}
	return newGuard(p, set, profile, id), nil
}

// String tells an identity to the controller itself and to logs.
func (id Identity) String() string {
	if !id.Local {
		return "address " + id.Addr.Addr().String()
	}
	s := "user " + id.User
	if prog := id.program(); prog != "" {
		s += ", program " + prog
	}
	return s
}
