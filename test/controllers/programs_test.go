//go:build world

package controllers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/testnet"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/policies/access/profiles"
	"golang.org/x/net/proxy"
)

// programs are what people have, each with the profile that is shipped for it.
var programs = []struct {
	profile string
	use     func(t *testing.T, s stand)
}{
	{"stem", stemListens},
	{"txtorcon", txtorconBuilds},
	{"nyx", nyxShows},
	{"onionshare", onionsharePublishes},
}

// stand is where a program is tried: behind a proxy, before a tor.
type stand struct {
	dir   string // for what it writes
	port  string // of the proxy
	socks string // tor's
}

func TestPrograms(t *testing.T) {
	tops := os.Getenv("TOPS")
	if tops == "" {
		t.Fatal("TOPS does not say where bin/tops is; `make test-world` does")
	}
	n, err := testnet.Start(t.Context(), testnet.Options{Clients: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, p := range programs {
		t.Run(p.profile, func(t *testing.T) {
			t.Run("free", func(t *testing.T) { p.use(t, newStand(t, tops, n.Clients[0], "")) })
			t.Run("profile", func(t *testing.T) { p.use(t, newStand(t, tops, n.Clients[0], p.profile)) })
		})
	}
}

// newStand starts `tops proxy`, with the shipped profile of that name for us, if
// it has one.
func newStand(t *testing.T, tops string, client *testnet.Node, profile string) stand {
	t.Helper()
	dir, err := os.MkdirTemp("", "prog")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	const port = "9061"
	args := []string{"proxy", "--listen", "127.0.0.1:" + port, "--upstream", "unix:" + client.ControlSocket}
	if profile != "" {
		args = append(args, "--policy", install(t, dir, profile))
	}
	p := start(t, "proxy", filepath.Join(dir, "proxy.log"), exec.Command(tops, args...))
	until(t, "the proxy", 10*time.Second, func() bool {
		if p.ended() {
			t.Fatal("the proxy ended at once")
		}
		return strings.Contains(p.said(), "controllers may connect")
	})
	t.Cleanup(func() {
		p.stop(t)
		if strings.Contains(p.said(), " WRN ") {
			t.Errorf("the proxy warned:\n%s", p.said())
		}
	})
	if profile != "" {
		inForce(t, "127.0.0.1:"+port)
	}
	return stand{dir: dir, port: port, socks: client.SocksAddr}
}

// inForce checks that a profile is: none of those here allows RESOLVE.
func inForce(t *testing.T, addr string) {
	t.Helper()
	conn, err := tor.Dial(t.Context(), tor.Options{Address: addr})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var refused *controlspec.ReplyError
	if _, err := conn.Do(t.Context(), "RESOLVE a.example"); !errors.As(err, &refused) || refused.Code != 510 {
		t.Fatalf("RESOLVE: %v; want a refusal with 510", err)
	}
}

// install does what the profiles' documentation says: copy it, and name the user.
func install(t *testing.T, dir, name string) (file string) {
	t.Helper()
	text, err := profiles.Files.ReadFile(name + ".toml")
	if err != nil {
		t.Fatal(err)
	}
	users := fmt.Appendf(nil, "users = [%q]", name)
	if !bytes.Contains(text, users) {
		t.Fatalf("profile %s is not for the user %s", name, name)
	}
	file = filepath.Join(dir, name+".toml")
	if err := os.WriteFile(file, bytes.Replace(text, users, []byte(`users = ["root"]`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// python runs a script beside this file to its end.
func python(t *testing.T, s stand, script string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/usr/bin/python3", script, s.port)
	cmd.Env = append(os.Environ(), "HOME="+s.dir, "PYTHONDONTWRITEBYTECODE=1")
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, said)
	}
	t.Logf("%s: %s", script, bytes.TrimSpace(said))
}

func stemListens(t *testing.T, s stand)    { python(t, s, "stem_events.py") }
func txtorconBuilds(t *testing.T, s stand) { python(t, s, "txtorcon_circuit.py") }

// nyxPages are what the title of each page has, in their order.
var nyxPages = []string{"Bandwidth (", "Connections (", "Tor Configuration (", "Tor Configuration File (", "Control Interpreter:"}

// nyxShows leafs through nyx in a terminal.
func nyxShows(t *testing.T, s stand) {
	terminal := func(args ...string) string {
		cmd := exec.Command("tmux", append([]string{"-S", filepath.Join(s.dir, "tmux"), "-f", os.DevNull}, args...)...)
		cmd.Env = append(os.Environ(), "HOME="+s.dir, "LC_ALL=C.UTF-8")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("tmux %s: %v\n%s", args[0], err, out)
		}
		return string(out)
	}
	terminal("new-session", "-d", "-x", "150", "-y", "40", "nyx -i 127.0.0.1:"+s.port+" 2>&1; echo nyx ended; sleep 60")
	defer terminal("kill-server")
	screen := func() string { return terminal("capture-pane", "-p") }
	for i, title := range nyxPages {
		until(t, fmt.Sprintf("page %d, with %q", i+1, title), 30*time.Second, func() bool { return strings.Contains(screen(), title) }, screen)
		until(t, fmt.Sprintf("page %d to say so", i+1), 10*time.Second, func() bool {
			return strings.Contains(screen(), fmt.Sprintf("page %d / 5", i+1))
		}, screen)
		if i < len(nyxPages)-1 {
			terminal("send-keys", "Right")
		}
	}
	terminal("send-keys", "Enter") // begins the prompt
	terminal("send-keys", "GETINFO version", "Enter")
	until(t, "tor's answer in the interpreter", 10*time.Second, func() bool { return strings.Count(screen(), "0.4.") > 1 }, screen)
}

// onionsharePublishes shares a file, and fetches it through the onion service.
func onionsharePublishes(t *testing.T, s stand) {
	config := filepath.Join(s.dir, "onionshare.json")
	if err := os.WriteFile(config, []byte(`{"connection_type": "control_port", "control_port_address": "127.0.0.1",
		"control_port_port": `+s.port+`, "auth_type": "no_auth"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	const text = "nothing to hide\n"
	file := filepath.Join(s.dir, "note.txt")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("onionshare-cli", "--public", "--no-autostop-sharing", "--config", config, file)
	cmd.Env = append(os.Environ(), "HOME="+s.dir, "PYTHONUNBUFFERED=1", "LC_ALL=C.UTF-8")
	p := start(t, "onionshare-cli", filepath.Join(s.dir, "onionshare.log"), cmd)
	address := regexp.MustCompile(`http://([a-z2-7]{56}\.onion)`)
	until(t, "the address", 90*time.Second, func() bool {
		if p.ended() {
			t.Fatal("onionshare-cli ended")
		}
		return address.MatchString(p.said())
	})
	onion := address.FindStringSubmatch(p.said())[1]
	var last error
	until(t, "the file", 60*time.Second, func() bool {
		var page string
		page, last = get(s.socks, onion, "/note.txt")
		if last == nil && !strings.Contains(page, text) {
			page, last = get(s.socks, onion, "/download")
		}
		return last == nil && strings.Contains(page, "note.txt")
	}, func() string { return fmt.Sprint(last) })
	t.Logf("published %s, and it answers", onion)
	p.signal(syscall.SIGINT)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		t.Error("onionshare-cli does not end")
	}
}

func get(socks, onion, path string) (string, error) {
	dialer, err := proxy.SOCKS5("tcp", socks, nil, nil)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := dialer.(proxy.ContextDialer).DialContext(ctx, "tcp", onion+":80")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, onion); err != nil {
		return "", err
	}
	page, err := io.ReadAll(conn)
	return string(page), err
}
