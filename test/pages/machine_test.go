//go:build world

package pages_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/testnet"
)

// machine is where a page is followed: a root directory with its own /etc, /run, /var
// and /home, in which the programs are those of this machine, so that what is
// typed finds everything where the page says it is.
type machine struct {
	t    *testing.T // at whose end all is ended
	root string
	env  []string
	run  map[string]*going // what goes on, by what was typed
}

// going is a program that goes on.
type going struct {
	cmd  *exec.Cmd
	out  *buffer
	done chan struct{}
	err  error // once done is closed
}

// buffer takes output from more than one goroutine.
type buffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// newMachine makes one whose tor is node and whose Lightning node answers at rpc.
func newMachine(t *testing.T, node *testnet.Node, rpc string) *machine {
	dir, err := os.MkdirTemp("", "page") // short, for the paths of sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &machine{t: t, root: dir, run: make(map[string]*going)}
	for _, d := range []string{"etc/tops", "run/tor", "run/tor-instances/second", "var/lib", "home/me/.lightning/bitcoin", "usr", "tmp", "dev", "proc", "opt/tops"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{"bin", "sbin", "lib", "lib64"} {
		m.link(t, "usr/"+d, d)
	}
	for _, f := range []string{"passwd", "group", "nsswitch.conf", "ld.so.cache", "localtime"} {
		text, err := os.ReadFile("/etc/" + f)
		if err != nil {
			t.Fatal(err)
		}
		if f == "group" && !bytes.Contains(text, []byte("\ndebian-tor:")) {
			text = append(text, "debian-tor:x:64321:\n"...)
		}
		if err := os.WriteFile(filepath.Join(dir, "etc", f), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m.link(t, node.ControlSocket, "run/tor/control")
	m.link(t, rpc, "home/me/.lightning/bitcoin/lightning-rpc")
	if out, err := exec.Command("cp", tops(t), filepath.Join(dir, "opt/tops/tops")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m.env = []string{"HOME=/home/me", "PATH=/opt/tops:/usr/sbin:/usr/bin", "TOR_COOKIE=" + filepath.Join(node.Dir, "control_auth_cookie")}
	return m
}

func (m *machine) link(t *testing.T, to, name string) {
	t.Helper()
	if err := os.Symlink(to, filepath.Join(m.root, name)); err != nil {
		t.Fatal(err)
	}
}

// command is a line of shell on the machine, in a mount namespace that ends with it.
func (m *machine) command(text string) *exec.Cmd {
	const enter = `set -e; cd "$1"
for d in usr tmp dev proc; do mount --rbind "/$d" "$d"; done
exec chroot . /bin/sh -c 'cd /home/me && '"$2"`
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "--", "sh", "-c", enter, "sh", m.root, text)
	cmd.Env = m.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// do types a step, and says what is not as it should be.
func (m *machine) do(t *testing.T, s step) {
	t.Helper()
	text := strings.ReplaceAll(s.text, "https://check.torproject.org/", "http://"+outside.String()+"/")
	switch {
	case s.stop != "":
		m.end(t, s.stop)
		return
	case s.goes:
		m.start(t, text)
		return
	}
	want := regexp.MustCompile(s.want)
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		cmd := m.command(text)
		cmd.Stdin = strings.NewReader(s.input)
		out, err := cmd.CombinedOutput()
		code := 0
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			code = exit.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if code == s.code && want.Match(out) {
			t.Logf("%s %s: %s", s.on, s.text, lastLine(string(out)))
			return
		}
		if !s.again || time.Now().After(end) {
			t.Fatalf("%s: %q ended with %d, want %d and %q:\n%s\n%s", s.page, s.text, code, s.code, s.want, out, m.heard())
		}
	}
}

func (m *machine) start(t *testing.T, text string) {
	p := &going{cmd: m.command("exec " + text), out: &buffer{}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.err = p.cmd.Wait(); close(p.done) }()
	m.t.Cleanup(func() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
	})
	m.run[text] = p
}

// end stops what begins with this text as Ctrl-C does, and wants it to end well.
func (m *machine) end(t *testing.T, prefix string) {
	for text, p := range m.run {
		if !strings.HasPrefix(text, prefix) {
			continue
		}
		delete(m.run, text)
		if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatalf("%q had ended before it was stopped: %v\n%s", text, err, p.out)
		}
		select {
		case <-p.done:
		case <-time.After(30 * time.Second):
			t.Fatalf("%q does not stop\n%s", text, p.out)
		}
		if p.err != nil {
			t.Fatalf("%q: %v\n%s", text, p.err, p.out)
		}
		return
	}
	t.Fatalf("nothing that begins with %q goes on", prefix)
}

// heard is what the programs that go on have said.
func (m *machine) heard() string {
	var b strings.Builder
	for text, p := range m.run {
		b.WriteString("== " + text + "\n" + p.out.String())
	}
	return b.String()
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
