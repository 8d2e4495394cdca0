package access_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/el-tor/tops/policies/access"
)

// pair is a connection on the loopback, both ends in this process.
func pair(t *testing.T, addr string) (its, ours netip.AddrPort) {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return netip.MustParseAddrPort(client.LocalAddr().String()), netip.MustParseAddrPort(server.LocalAddr().String())
}

func TestLocalTCP(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		its, ours := pair(t, addr)
		id, err := access.LocalTCP(its, ours)
		if err != nil {
			t.Fatal(err)
		}
		if id.UID != uint32(os.Geteuid()) || id.User == "" || id.Exe != exe || !id.Local || id.Addr != its {
			t.Errorf("%s: %+v", addr, id)
		}
		if _, err := access.LocalTCP(its, netip.AddrPortFrom(ours.Addr(), ours.Port()+1)); err == nil {
			t.Error("a connection that is not there was found")
		}
	}
}

func TestLocalUnix(t *testing.T) {
	id := access.LocalUnix(int32(os.Getpid()), uint32(os.Geteuid()))
	if exe, _ := os.Executable(); id.Exe != exe || id.User == "" {
		t.Errorf("%+v", id)
	}
}

// On this machine a stream is of the user who owns its socket.
func TestOwnStreamsOnLoopback(t *testing.T) {
	p := open(t, ".toml", strings.Replace(own, `hosts = ["10.0.0.0/8"]`, `users = ["*"]`, 1))
	its, _ := pair(t, "127.0.0.1:0")
	event := fmt.Sprintf("650 STREAM 4 NEW 0 a.example:80 SOURCE_ADDR=%s PURPOSE=USER\r\n", its)
	for uid, want := range map[uint32]string{uint32(os.Geteuid()): event, uint32(os.Geteuid()) + 1: ""} {
		g := admit(t, p, access.LocalUnix(int32(os.Getpid()), uid))
		if got := lines(g.Event, event); got != want {
			t.Errorf("uid %d hears %q", uid, got)
		}
	}
}

func TestMatch(t *testing.T) {
	dir := write(t, map[string]string{
		"a.toml": "[match]\nusers = [\"alice\"]\nexecutables = [\"/bin/a\"]\n",
		"b.toml": "[match]\nusers = [\"alice\"]\nexecutables = [\"/bin/b\"]\n",
		"c.toml": "[match]\nhosts = [\"10.1.0.0/16\", \"fd00::1\"]\n",
		"d.toml": "[match]\nusers = [\"bob\"]\nlisteners = [\"unix:/run//tops/control\"]\n",
		"e.toml": "[match]\nusers = [\"bob\"]\nlisteners = [\"127.0.0.1:9052\"]\n",
		"f.yml":  "- name: f\n  users: ['carol']\n  apparmor-profiles: ['mail']\n  hosts: ['10.2.0.1']\n",
	})
	p, err := access.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	local := func(user, exe, apparmor, listener string) access.Identity {
		return access.Identity{Local: true, User: user, Exe: exe, AppArmor: apparmor, Listener: listener}
	}
	from := func(addr string) access.Identity {
		return access.Identity{Addr: netip.MustParseAddrPort(addr)}
	}
	for _, tc := range []struct {
		id   access.Identity
		want string
	}{
		{local("alice", "/bin/a", "", ""), "a"},
		{local("alice", "/bin/b", "x", ""), "b"},
		{local("alice", "", "", ""), ""}, // not permitted to see which
		{local("mallory", "/bin/a", "", ""), ""},
		{local("bob", "/bin/a", "", "/run/tops/control"), "d"},
		{local("bob", "/bin/a", "", "127.0.0.1:9052"), "e"},
		{local("bob", "/bin/a", "", "127.0.0.1:9053"), ""},
		{local("carol", "/usr/bin/python3", "mail", ""), "f"},
		{local("carol", "mail", "", ""), "f"},
		{local("carol", "/usr/bin/python3", "", ""), ""},
		{from("10.1.2.3:1"), "c"},
		{from("[::ffff:10.1.2.3]:1"), "c"},
		{from("[fd00::1]:1"), "c"},
		{from("10.2.0.1:1"), "f"},
		{from("10.2.0.2:1"), ""},
	} {
		name := ""
		if g, err := p.Admit(tc.id); err == nil {
			name = g.Profile()
		}
		if name != tc.want {
			t.Errorf("%+v: profile %q, want %q", tc.id, name, tc.want)
		}
	}
}

// A reload holds for those who are connected, and all or nothing.
func TestReload(t *testing.T) {
	dir := write(t, map[string]string{"p.toml": own})
	put := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "p.toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, err := access.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	g := admit(t, p, remote)
	const cmd = "SIGNAL NEWNYM"
	if got := say(g, cmd); got != cmd {
		t.Fatal(got)
	}
	put("nonsense")
	if err := p.Reload(); err == nil {
		t.Error("nonsense was loaded")
	}
	if got := say(g, cmd); got != cmd {
		t.Error(got)
	}
	put("[match]\nhosts = [\"10.0.0.7\"]\n[limits]\nday_msat = 5000\n[events]\nWARN = true\n")
	if err := p.Reload(); err != nil {
		t.Fatal(err)
	}
	// In force also for who only listens.
	if got := lines(g.Event, "650 NOTICE a\r\n650 WARN b\r\n"); !g.FiltersEvents() || got != "650 WARN b\r\n" || g.Hears("NOTICE") || !g.Hears("WARN") {
		t.Errorf("what it subscribed to before: %q", got)
	}
	if got := say(g, cmd); got != `510 "SIGNAL" is not allowed (profile p)` {
		t.Error(got)
	}
	if got := p.Set().DayMsat()["p"]; got != 5000 {
		t.Errorf("day_msat %d", got)
	}
	put("[match]\nhosts = [\"10.0.0.8\"]\n")
	if err := p.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := say(g, "GETINFO version"); got != `510 "GETINFO" is not allowed (profile none)` {
		t.Error(got)
	}
}
