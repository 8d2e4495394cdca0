package access

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Check loads policy files as [Load] does and runs the vectors beside each. The
// errors of all vectors are joined; ran is how many there were.
func Check(paths ...string) (s *Set, ran int, err error) {
	if s, err = Load(paths...); err != nil {
		return nil, 0, err
	}
	files, err := expand(paths)
	if err != nil {
		return nil, 0, err
	}
	var errs []error
	for _, f := range files {
		name := strings.TrimSuffix(f, filepath.Ext(f)) + ".vectors"
		text, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, ran, err
		}
		for _, p := range s.Profiles {
			if p.Pos.File == f {
				n, err := p.runVectors(name, string(text))
				ran += n
				errs = append(errs, err)
			}
		}
	}
	return s, ran, errors.Join(errs...)
}

// runVectors tries every line of a file of vectors:
//
//	# a comment
//	ALLOW GETINFO version
//	BLOCK GETINFO address
//	ALLOW +LOADCONF\nSocksPort 9050\n.      "\n" begins another line
//	ALLOW ADD_ONION NEW:BEST Port=80 => ADD_ONION NEW:BEST Port=80,127.0.0.1:80
//
// The last form says what tor gets instead.
func (p *Profile) runVectors(file, text string) (ran int, err error) {
	var errs []error
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		want, cmd, _ := strings.Cut(line, " ")
		if want != "ALLOW" && want != "BLOCK" {
			errs = append(errs, fmt.Errorf("%s:%d: a line begins with ALLOW or BLOCK", file, n))
			continue
		}
		cmd, to, rewritten := strings.Cut(cmd, " => ")
		e := p.Explain(Identity{Local: true, Addr: loopback}, strings.ReplaceAll(cmd, `\n`, "\r\n")+"\r\n")
		ran++
		switch {
		case e.Allowed != (want == "ALLOW"):
			errs = append(errs, fmt.Errorf("%s:%d: %s: %s", file, n, cmd, e))
		case rewritten && e.Line != to:
			errs = append(errs, fmt.Errorf("%s:%d: %s: tor gets %q", file, n, cmd, e.Line))
		}
	}
	return ran, errors.Join(errs...)
}
