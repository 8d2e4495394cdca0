package proxy_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/policies/access"
	"github.com/el-tor/tops/proxy"
)

// profiles loads one access profile, our own form unless it begins a list.
func profiles(t testing.TB, text string) proxy.Profiles {
	t.Helper()
	name := "p.toml"
	if strings.HasPrefix(text, "-") {
		name = "p.yml"
	}
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := access.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	return proxy.Profiles{Policy: p}
}

const mail = `profile = "mail"
[match]
anybody = true
[commands]
GETINFO = { words = ["version", "tops/*", "circuit-status", "net/*"], whose = "own" }
SIGNAL = ["NEWNYM"]
ADD_ONION = { words = ["NEW:*", "Port=80,*"], redact = true }
EXTENDCIRCUIT = "own"
EXTENDPAIDCIRCUIT = true
CLOSECIRCUIT = "own"
LOADCONF = { words = ["ContactInfo=*"] }
[events]
CIRC = "own"
SIGNAL = "suppress"
CONF_CHANGED = true
PAYSTREAM = true
`

// recorder is a fake tor that keeps what it was told.
func recorder(t testing.TB, answer func(controlspec.Command) string) (tor *fakeTor, said chan string) {
	said = make(chan string, 1000)
	return startFakeTor(t, func(cmd controlspec.Command) string {
		said <- strings.TrimSpace(string(cmd.Append(nil)))
		return answer(cmd)
	}), said
}

// What is refused never reaches tor, and every answer comes in its place.
func TestAccessRefusals(t *testing.T) {
	tor, said := recorder(t, ok)
	srv := with(tor.addr, newEngine())
	srv.Access = profiles(t, mail)
	c := dial(t, serve(t, srv))
	c.send("AUTHENTICATE\r\nGETINFO version\r\nGETINFO address\r\nSIGNAL NEWNYM\r\n+LOADCONF\r\nControlPort 1\r\nQUIT\r\n.\r\n" +
		"+LOADCONF\r\nContactInfo x\r\n.\r\n+NONSENSE\r\nGETINFO address\r\n.\r\nSIGNAL HALT\r\nSETEVENTS SIGNAL CIRC\r\nGETINFO tops/version version\r\n\r\nGETINFO version\r\n")
	c.want("250 OK\r\n250-version=tor's\r\n250 OK\r\n510 GETINFO refused: \"address\" is not allowed (profile mail)\r\n250 OK\r\n" +
		"510 LOADCONF refused: \"ControlPort\" is not allowed (profile mail)\r\n250 OK\r\n510 \"NONSENSE\" is not allowed (profile mail)\r\n" +
		"510 SIGNAL refused: \"HALT\" is not allowed (profile mail)\r\n250 OK\r\n250-tops/version=0.1\r\n250-version=tor's\r\n250 OK\r\n" +
		"510 \"\" is not allowed (profile mail)\r\n250-version=tor's\r\n250 OK\r\n")
	for _, want := range []string{"AUTHENTICATE", "GETINFO version", "SIGNAL NEWNYM", "+LOADCONF\r\nContactInfo x\r\n.", "SETEVENTS CIRC", "GETINFO version", "GETINFO version"} {
		if got := <-said; got != want {
			t.Errorf("tor got %q, want %q", got, want)
		}
	}
}

// Replies and events are kept back and rewritten, in the midst of others.
func TestAccessRewriting(t *testing.T) {
	tor, _ := recorder(t, func(cmd controlspec.Command) string {
		switch cmd.Name + " " + cmd.Args {
		case "GETINFO circuit-status":
			return "250+circuit-status=\r\n7 BUILT " + strings.Repeat("x", 100_000) + "\r\n8 BUILT " + strings.Repeat("y", 100_000) + "\r\n.\r\n250 OK\r\n"
		case "GETINFO net/listeners/control":
			return "250-net/listeners/control=\"127.0.0.1:8080\"\r\n250 OK\r\n"
		case "EXTENDCIRCUIT 0":
			return "250 EXTENDED 7\r\n650 CIRC 7 LAUNCHED\r\n650 CIRC 8 BUILT\r\n650-CONF_CHANGED\r\n650-A=b\r\n650 OK\r\n"
		}
		if cmd.Name == "ADD_ONION" {
			return "250-ServiceID=abc\r\n250-PrivateKey=ED25519-V3:c2VjcmV0\r\n250 OK\r\n"
		}
		return ok(cmd)
	})
	e := newEngine()
	srv := with(tor.addr, e)
	srv.Access = profiles(t, mail)
	c := dial(t, serve(t, srv))
	c.send("AUTHENTICATE\r\nSETEVENTS CIRC CONF_CHANGED\r\nEXTENDCIRCUIT 0\r\n")
	c.want("250 OK\r\n250 OK\r\n250 EXTENDED 7\r\n650 CIRC 7 LAUNCHED\r\n650-CONF_CHANGED\r\n650-A=b\r\n650 OK\r\n")
	c.send("GETINFO circuit-status\r\nADD_ONION NEW:BEST Port=80\r\nADD_ONION NEW:BEST Port=80,8080\r\nCLOSECIRCUIT 8\r\nCLOSECIRCUIT 7\r\n")
	c.want("250+circuit-status=\r\n7 BUILT " + strings.Repeat("x", 100_000) + "\r\n.\r\n250 OK\r\n" +
		"250-ServiceID=abc\r\n250-PrivateKey=ED25519-V3:redacted\r\n250 OK\r\n" +
		"510 ADD_ONION refused: an onion service must not point at a control port (profile mail)\r\n" +
		"510 CLOSECIRCUIT refused: the circuit is not this controller's (profile mail)\r\n250 OK\r\n")
	// A circuit that TOPS built is the controller's too; the engine calls it 7.
	c.ask(paid, "250 EXTENDED 7\r\n")
	c.ask("CLOSECIRCUIT 7", "250 OK\r\n")
}

// Before tor knows a controller, a refusal is tor's.
func TestAccessBeforeAuthentication(t *testing.T) {
	tor := startTor(t, "CookieAuthentication 1")
	srv := plain(tor.unix)
	srv.Access = profiles(t, mail)
	c := dial(t, serve(t, srv))
	c.send("SIGNAL HALT\r\n")
	c.wantEOF("514 Authentication required.\r\n")
}

// Whom no profile is for is told so, and tor is not even reached.
func TestAccessDeniesByDefault(t *testing.T) {
	reported := make(chan error, 1)
	srv := plain("/nonexistent/control")
	srv.Access = profiles(t, strings.Replace(mail, "anybody = true", `users = ["somebody-else"]`, 1))
	srv.OnError = func(_ proxy.Controller, err error) { reported <- err }
	c := dial(t, serve(t, srv))
	c.send("AUTHENTICATE\r\n")
	line, err := c.r.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "510 Refused: no access profile is for user ") {
		t.Errorf("%q %v", line, err)
	}
	if err := <-reported; err == nil {
		t.Error("nothing was reported")
	}
}

// A process on the loopback is known by the kernel's tables.
func TestAccessOnLoopback(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tor := startFakeTor(t, ok)
	for _, tc := range []struct{ match, want string }{
		{`executables = ["` + exe + `"]`, "250 OK\r\n"},
		{`executables = ["/usr/bin/other"]`, "510 Refused: "},
		{`hosts = ["0.0.0.0/0"]`, "510 Refused: "},
	} {
		srv := plain(tor.addr)
		srv.Access = profiles(t, strings.Replace(mail, "anybody = true", tc.match, 1))
		ln, err := proxy.Listen("127.0.0.1:0", proxy.ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		serveOn(t, srv, ln)
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		c := &controller{t, conn, nil}
		c.send("AUTHENTICATE\r\n")
		got := make([]byte, len(tc.want))
		if _, err := conn.Read(got); err != nil || string(got) != tc.want {
			t.Errorf("%s: %q %v", tc.match, got, err)
		}
	}
}

// With our own authentication onion-grater's profiles let in without a cookie.
func TestAccessTrusted(t *testing.T) {
	tor := startTor(t)
	for text, want := range map[string]string{
		mail:                                   "515 Authentication failed: This process may not use this socket.\r\n",
		"- users: ['*']\n  exe-paths: ['*']\n": "250 OK\r\n",
	} {
		srv := plain(tor.unix)
		srv.Auth = &proxy.Auth{}
		srv.Access = profiles(t, text)
		dial(t, serve(t, srv)).ask("AUTHENTICATE", want)
	}
}

// A command above tor's limit is refused as tor does, and so is one with an
// endless data block.
func TestAccessTooLong(t *testing.T) {
	tor, said := recorder(t, ok)
	srv := plain(tor.addr)
	srv.Access = profiles(t, mail)
	path := serve(t, srv)
	for _, cmd := range []string{"GETINFO " + strings.Repeat("x", 2<<20), "+LOADCONF\r\n" + strings.Repeat("ContactInfo x\r\n", 1<<17)} {
		c := dial(t, path)
		c.ask("AUTHENTICATE", "250 OK\r\n")
		if _, err := c.Write([]byte(cmd)); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Log(err) // the proxy may have hung up meanwhile
		}
		c.want("500 Line too long.\r\n")
		if got := <-said; got != "AUTHENTICATE" {
			t.Errorf("tor got %.40q", got)
		}
	}
}

// Circuits are paid for the controllers whose profile says so, and no others.
func TestProfilesSayWhoPays(t *testing.T) {
	for rule, want := range map[string]string{
		"{ paid = true }":  "250 EXTENDED 9\r\n",
		"{ paid = false }": "250 EXTENDED 3\r\n",
		"true":             "250 EXTENDED 3\r\n",
	} {
		tor, _ := recorder(t, func(cmd controlspec.Command) string {
			if cmd.Name == "EXTENDCIRCUIT" {
				return "250 EXTENDED 3\r\n"
			}
			return "250 OK\r\n"
		})
		srv := with(tor.addr, newEngine())
		srv.Access = profiles(t, "[match]\nanybody = true\n[commands]\nEXTENDCIRCUIT = "+rule+"\n")
		c := dial(t, serve(t, srv))
		c.ask("AUTHENTICATE", "250 OK\r\n")
		c.ask("EXTENDCIRCUIT 0 a,b", want)
		c.ask("EXTENDCIRCUIT 3 a,b", "250 EXTENDED 3\r\n")
	}
}
