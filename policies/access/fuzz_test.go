package access_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/policies/access"
	"github.com/el-tor/tops/policies/access/profiles"
)

// A profile that loads can be asked anything; an error names the file.
func fuzzParse(f *testing.F, name string) {
	f.Fuzz(func(t *testing.T, text string) {
		list, err := access.Parse(name, []byte(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), name) {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		for _, p := range list {
			for _, cmd := range []string{"GETINFO version", "SETCONF a=\"b\" c", "SETEVENTS CIRC", "ADD_ONION NEW:BEST Port=80,8080", "+LOADCONF\r\na b\r\n.\r\n"} {
				p.Explain(remote, cmd)
			}
		}
	})
}

func FuzzGrater(f *testing.F) {
	f.Add(grater)
	f.Add("- name: a\n  hosts: ['*']\n  commands: {A: [{pattern: '(a)', replacement: '{}{{}}{client-port}', response: [{pattern: x, replacement: y}]}]}\n")
	f.Add("- &a {hosts: ['10.0.0.0/8']}\n- *a\n")
	fuzzParse(f, "p.yml")
}

func FuzzOwnForm(f *testing.F) {
	f.Add(own)
	files, err := profiles.Files.ReadDir(".")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range files {
		if text, err := profiles.Files.ReadFile(e.Name()); err == nil && strings.HasSuffix(e.Name(), ".toml") {
			f.Add(string(text))
		}
	}
	fuzzParse(f, "p.toml")
}

// Whatever a controller says, tor gets one whole command of those that the
// profile names, or nothing.
func FuzzCommand(f *testing.F) {
	for _, cmd := range []string{"GETINFO version", "SETCONF Bridge=\"a\\\"b\" DisableNetwork=0", "+LOADCONF\r\nSocksPort 1\r\n..x\r\n.", "ADD_ONION NEW:BEST Flags=Detach,DiscardPK Port=25",
		"SETEVENTS STREAM WARN", "signal\tNEWNYM", "+x\r\n.", "", " ", "+"} {
		f.Add(cmd + "\r\n")
	}
	policy := open(f, ".toml", own)
	f.Fuzz(func(t *testing.T, said string) {
		r := controlspec.NewCommandReader(strings.NewReader(said))
		var raw []byte
		for { // what the proxy gives to a guard: a whole command that tor would take
			l, err := r.ReadLine()
			if err != nil || !l.EOL || l.Check() != nil {
				return
			}
			if raw = append(raw, l.Raw...); l.End {
				break
			}
		}
		g := admit(t, policy, remote)
		line, _, err := g.Command(bytes.Clone(raw), noTor)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("the refusal %q has more than one line", err)
			}
			return
		}
		r = controlspec.NewCommandReader(bytes.NewReader(line))
		cmd, err := r.ReadCommand()
		if err != nil {
			t.Fatalf("tor gets %q: %v", line, err)
		}
		if _, err := r.ReadLine(); err != io.EOF {
			t.Fatalf("tor gets more than one command: %q", line)
		}
		if !strings.Contains(own, "\n"+cmd.Name+" = ") && cmd.Name != "SETEVENTS" && !strings.Contains(" PROTOCOLINFO AUTHCHALLENGE AUTHENTICATE QUIT ", " "+cmd.Name+" ") {
			t.Errorf("tor gets %q", line)
		}
	})
}
