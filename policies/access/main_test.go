package access_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/policies/access"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// write makes profile files in a directory of the test's own.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// open loads one profile file; ext is ".toml" or ".yml".
func open(t testing.TB, ext, text string) *access.Policy {
	t.Helper()
	p, err := access.Open(write(t, map[string]string{"p" + ext: text}))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var remote = access.Identity{Addr: netip.MustParseAddrPort("10.0.0.7:4000"), Listener: "10.0.0.1:9051"}

func admit(t testing.TB, p *access.Policy, id access.Identity) *access.Guard {
	t.Helper()
	g, err := p.Admit(id)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// noTor is an ask that nobody answers.
func noTor(string) (controlspec.Reply, error) { return controlspec.Reply{}, os.ErrDeadlineExceeded }

// say gives a command to a guard and returns what tor gets, or the refusal.
func say(g *access.Guard, cmd string) string {
	line, _, err := g.Command([]byte(cmd+"\r\n"), noTor)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(string(line), "\r\n")
}

// lines gives tor's lines to f and returns what is left of them.
func lines(f func(controlspec.Line) []byte, said string) string {
	var (
		s   controlspec.Scanner
		out strings.Builder
	)
	for p := []byte(said); len(p) > 0; {
		l := s.Next(p)
		p = p[len(l.Raw):]
		out.Write(f(l))
	}
	return out.String()
}

// reply is what is left of tor's reply to a command.
func reply(t testing.TB, g *access.Guard, cmd, said string) string {
	t.Helper()
	_, f, err := g.Command([]byte(cmd+"\r\n"), noTor)
	if err != nil {
		t.Fatal(err)
	}
	if f == nil {
		return said
	}
	return lines(f, said)
}
