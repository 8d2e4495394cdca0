package proxy_test

import (
	"bytes"
	"encoding/hex"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/proxy"
)

// lockedTor is one that asks for its cookie or a password.
func lockedTor(t *testing.T) realTor {
	t.Helper()
	hash, err := exec.Command("tor", "--hash-password", "pass word", "--quiet").Output()
	if err != nil {
		t.Fatal(err)
	}
	tor := startTor(t, "CookieAuthentication 1", "HashedControlPassword "+string(bytes.TrimSpace(hash)))
	waitFile(t, tor.cookie)
	return tor
}

func TestOwnAuth(t *testing.T) {
	tor := lockedTor(t)
	file := filepath.Join(t.TempDir(), "cookie")
	cookie, err := proxy.NewCookie(file, 0)
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(file); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("cookie file: %v %v", fi.Mode(), err)
	}
	srv := with(tor.unix, newEngine())
	srv.Auth = &proxy.Auth{CookieFile: file, Cookie: cookie}
	path := serve(t, srv)

	good := "AUTHENTICATE " + hex.EncodeToString(cookie)
	info := func(c *controller) {
		t.Helper()
		got := string(c.reply("PROTOCOLINFO 1"))
		if !strings.HasPrefix(got, "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=COOKIE,SAFECOOKIE COOKIEFILE=\""+file+"\"\r\n250-VERSION Tor=\"0.") {
			t.Errorf("PROTOCOLINFO: %q", got)
		}
	}
	t.Run("cookie", func(t *testing.T) {
		c := dial(t, path)
		info(c)
		c.ask(good, "250 OK\r\n")
		info(c) // ours, also when inside
		c.ask(paid, "250 EXTENDED 7\r\n")
		c.ask("GETCONF DisableNetwork", "250 DisableNetwork=1\r\n")
		c.ask(good, "250 OK\r\n")
		c.send("AUTHENTICATE 00\r\n" + paid + "\r\n")
		c.wantEOF("515 Authentication failed: Wrong length on authentication cookie.\r\n")
	})
	t.Run("pipelined", func(t *testing.T) {
		c := dial(t, path)
		c.send(good + "\r\nGETCONF DisableNetwork\r\n" + paid + "\r\nQUIT\r\n")
		c.wantEOF("250 OK\r\n250 DisableNetwork=1\r\n250 EXTENDED 7\r\n250 closing connection\r\n")
	})
	t.Run("safecookie", func(t *testing.T) {
		c := dial(t, path)
		nonce := bytes.Repeat([]byte{7}, 32)
		args, err := controlspec.ParseArgs(strings.TrimSpace(string(c.reply("AUTHCHALLENGE SAFECOOKIE " + hex.EncodeToString(nonce)))))
		if err != nil || len(args) != 4 {
			t.Fatalf("%v %v", args, err)
		}
		own, err := hex.DecodeString(args[3].Value)
		if err != nil {
			t.Fatal(err)
		}
		server, client := controlspec.SafeCookie(cookie, nonce, own)
		if !strings.EqualFold(args[2].Value, hex.EncodeToString(server)) {
			t.Error("the server's hash is wrong")
		}
		c.ask("AUTHENTICATE "+hex.EncodeToString(client), "250 OK\r\n")
		c.ask("GETCONF DisableNetwork", "250 DisableNetwork=1\r\n")
	})
	for send, want := range map[string]string{
		"AUTHENTICATE\r\n": "515 Authentication failed: Wrong length on authentication cookie.\r\n",
		"AUTHENTICATE " + strings.Repeat("0", 64) + "\r\n": "515 Authentication failed: Authentication cookie did not match expected value.\r\n",
		"AUTHENTICATE x\r\n":                     "515 Authentication failed: Malformed argument, expected hex digits or a quoted string.\r\n",
		"AUTHCHALLENGE FOO 00\r\n":               "513 AUTHCHALLENGE only supports SAFECOOKIE authentication\r\n",
		"+AUTHENTICATE\r\n.\r\n" + paid + "\r\n": "514 Authentication required.\r\n",
		"GETINFO version\r\n" + good + "\r\n":    "514 Authentication required.\r\n",
		paid + "\r\n":                            "514 Authentication required.\r\n",
		"\r\n":                                   "514 Authentication required.\r\n",
		"QUIT\r\n":                               "250 closing connection\r\n",
	} {
		c := dial(t, path)
		c.send(send)
		c.wantEOF(want)
	}
	// After AUTHCHALLENGE the bare cookie is not enough.
	c := dial(t, path)
	c.reply("AUTHCHALLENGE SAFECOOKIE 00")
	c.send(good + "\r\n")
	c.wantEOF("515 Authentication failed: Safe cookie response did not match expected value.\r\n")
}

func TestOwnAuthPeer(t *testing.T) {
	tor := startTor(t)
	allow := true
	srv := with(tor.unix, newEngine())
	srv.Auth = &proxy.Auth{AllowPeer: func(p proxy.Peer) bool { return allow && p.UID == uint32(os.Getuid()) }}
	path := serve(t, srv)
	c := dial(t, path)
	if got := string(c.reply("PROTOCOLINFO")); !strings.Contains(got, "250-AUTH METHODS=NULL\r\n") {
		t.Errorf("%q", got)
	}
	c.ask("AUTHENTICATE", "250 OK\r\n")
	c.ask(paid, "250 EXTENDED 7\r\n")
	allow = false
	c = dial(t, path)
	c.send("AUTHENTICATE\r\n")
	c.wantEOF("515 Authentication failed: This process may not use this socket.\r\n")
}

// Our own way in to tor, by each method.
func TestLogin(t *testing.T) {
	tor := lockedTor(t)
	wrong := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(wrong, make([]byte, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		login proxy.Login
		ok    bool
	}{
		"by itself":    {proxy.Login{}, true},
		"cookie":       {proxy.Login{CookieFile: tor.cookie}, true},
		"password":     {proxy.Login{CookieFile: "/nonexistent", Password: "pass word"}, true},
		"bad password": {proxy.Login{CookieFile: "/nonexistent", Password: "x"}, false},
		"no cookie":    {proxy.Login{CookieFile: "/nonexistent"}, false},
		"bad cookie":   {proxy.Login{CookieFile: wrong}, false},
	} {
		t.Run(name, func(t *testing.T) {
			srv := plain(tor.unix)
			reported := make(chan error, 1)
			srv.OnError = func(_ proxy.Controller, err error) { reported <- err }
			srv.Login, srv.Auth = tt.login, &proxy.Auth{AllowPeer: func(proxy.Peer) bool { return true }}
			c := dial(t, serve(t, srv))
			if tt.ok {
				c.ask("AUTHENTICATE", "250 OK\r\n")
				return
			}
			c.wantEOF("551 Tor is not reachable now, try again later\r\n")
			if err := <-reported; !strings.Contains(err.Error(), "authenticate to tor") || strings.Contains(err.Error(), "pass word") {
				t.Error(err)
			}
		})
	}
}

func FuzzOwnAuth(f *testing.F) {
	tor := startFakeTor(f, func(cmd controlspec.Command) string {
		if cmd.Name == "PROTOCOLINFO" {
			return "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n250 OK\r\n"
		}
		return ok(cmd)
	})
	e := newEngine()
	srv := with(tor.addr, e)
	srv.Auth = &proxy.Auth{CookieFile: "/cookie", Cookie: bytes.Repeat([]byte{1}, 32)}
	path := serve(f, srv)
	f.Add([]byte("PROTOCOLINFO 1\r\nAUTHCHALLENGE SAFECOOKIE 00\r\nAUTHENTICATE \"x\"\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		c := dial(t, path)
		defer c.Close()
		go func() {
			c.Write(append(in, "\r\n"+paid+"\r\nQUIT\r\n"...))
			c.Conn.(*net.UnixConn).CloseWrite() // all of it may be within a data block
		}()
		c.r.ReadString(0)
		if e.calls() != 0 {
			t.Fatal("who did not know the cookie came in")
		}
	})
}
