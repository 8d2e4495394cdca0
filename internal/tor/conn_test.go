//go:build linux

package tor_test

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/tor"
)

// A fakeTor serves one control connection by a function from a command line to
// what is answered; "" answers nothing, and "!" in front closes behind it.
func fakeTor(t *testing.T, answer func(line string) string) (address string) {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "control"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		sock, err := ln.Accept()
		if err != nil {
			return
		}
		defer sock.Close()
		lines := bufio.NewScanner(sock)
		for lines.Scan() {
			text, last := strings.CutPrefix(answer(lines.Text()), "!")
			if _, err := io.WriteString(sock, text); err != nil || last {
				return
			}
		}
	}()
	return ln.Addr().String()
}

// open answers what an unprotected control port does, and the rest by answer.
func open(answer func(line string) string) func(string) string {
	return func(line string) string {
		switch {
		case strings.HasPrefix(line, "PROTOCOLINFO"):
			return "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n250-VERSION Tor=\"0.4.9.11\"\r\n250 OK\r\n"
		case line == "AUTHENTICATE":
			return "250 OK\r\n"
		}
		return answer(line)
	}
}

func dialFake(t *testing.T, answer func(line string) string) *tor.Conn {
	t.Helper()
	c, err := tor.Dial(within(t, 10*time.Second), tor.Options{Address: fakeTor(t, open(answer))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestConn(t *testing.T) {
	t.Run("events between replies", func(t *testing.T) {
		c := dialFake(t, func(line string) string {
			return "650 BW 1 2\r\n250-" + line + "\r\n250 OK\r\n650 BW 3 4\r\n"
		})
		reply, err := c.Do(t.Context(), "GETINFO x")
		if err != nil || reply.Lines[0].Text != "GETINFO x" {
			t.Errorf("reply %v, %v", reply, err)
		}
		for _, want := range []string{"BW 1 2", "BW 3 4"} {
			event, err := c.NextEvent(t.Context())
			if err != nil || event.Lines[0].Text != want {
				t.Errorf("event %v, %v; want %q", event, err, want)
			}
		}
	})
	t.Run("a reply that nobody waits for any more", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := dialFake(t, func(line string) string {
			if line == "first" {
				cancel()
				return ""
			}
			return "250 of first\r\n250 of second\r\n"
		})
		if _, err := c.Do(ctx, "first"); !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v, want context.Canceled", err)
		}
		reply, err := c.Do(t.Context(), "second")
		if err != nil || reply.Lines[0].Text != "of second" {
			t.Errorf("reply %v, %v", reply, err)
		}
	})
	t.Run("negative reply", func(t *testing.T) {
		c := dialFake(t, func(string) string { return "552 Unknown option\r\n" })
		_, err := c.Do(t.Context(), "SETCONF HashedControlPassword=secret")
		var refusal *controlspec.ReplyError
		if !errors.As(err, &refusal) || refusal.Code != 552 {
			t.Errorf("error %v, want a ReplyError 552", err)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("error %q tells the argument", err)
		}
	})
	t.Run("what is never sent", func(t *testing.T) {
		c := dialFake(t, func(line string) string { return "250 " + line + "\r\n" })
		for _, line := range []string{"GETINFO a\r\nQUIT", "GETINFO a\rb", "GETINFO a\x00", "GETINFO " + strings.Repeat("a", controlspec.MaxCommand)} {
			if _, err := c.Do(t.Context(), line); err == nil {
				t.Errorf("%.20q was sent", line)
			}
		}
		if reply, err := c.Do(t.Context(), "then"); err != nil || reply.Lines[0].Text != "then" {
			t.Errorf("afterwards: %v, %v", reply, err)
		}
	})
	t.Run("unasked reply", func(t *testing.T) {
		c := dialFake(t, func(string) string { return "250 OK\r\n250 OK\r\n" })
		c.Do(t.Context(), "x")
		<-c.Done()
		if _, err := c.Do(t.Context(), "y"); !errors.Is(err, tor.ErrClosed) {
			t.Errorf("error %v, want ErrClosed", err)
		}
	})
	t.Run("tor goes", func(t *testing.T) {
		c := dialFake(t, func(string) string { return "!650 BW 1 2\r\n250-half" })
		if _, err := c.Do(t.Context(), "x"); !errors.Is(err, tor.ErrClosed) || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("error %v, want ErrClosed and an unexpected EOF", err)
		}
		if _, err := c.NextEvent(t.Context()); err != nil {
			t.Errorf("the event that came before: %v", err)
		}
		if _, err := c.NextEvent(t.Context()); !errors.Is(err, tor.ErrClosed) {
			t.Errorf("error %v, want ErrClosed", err)
		}
	})
	t.Run("events that nobody takes", func(t *testing.T) {
		flood := strings.Repeat("650 BW 1 2 "+strings.Repeat("x", 1000)+"\r\n", 1000)
		c := dialFake(t, func(string) string { return flood + "250 OK\r\n" })
		for range 20 {
			if _, err := c.Do(within(t, 10*time.Second), "more"); err != nil {
				break
			}
		}
		if !errors.Is(c.Err(), tor.ErrBacklog) {
			t.Errorf("ended by %v, want ErrBacklog", c.Err())
		}
	})
}

func TestAuthenticate(t *testing.T) {
	dir := t.TempDir()
	cookie := []byte(strings.Repeat("c", 32))
	cookieFile, shortFile := filepath.Join(dir, "cookie"), filepath.Join(dir, "short")
	if err := errors.Join(os.WriteFile(cookieFile, cookie, 0o600), os.WriteFile(shortFile, cookie[1:], 0o600)); err != nil {
		t.Fatal(err)
	}
	sum := func(key string, parts ...[]byte) string {
		h := hmac.New(sha256.New, []byte(key))
		for _, p := range parts {
			h.Write(p)
		}
		return strings.ToUpper(hex.EncodeToString(h.Sum(nil)))
	}
	serverNonce := []byte(strings.Repeat("n", 32))
	// challenge is a SAFECOOKIE server that knows a cookie.
	challenge := func(known []byte) func(string) string {
		var clientNonce []byte
		return func(line string) string {
			if nonce, ok := strings.CutPrefix(line, "AUTHCHALLENGE SAFECOOKIE "); ok {
				clientNonce, _ = hex.DecodeString(nonce)
				return fmt.Sprintf("250 AUTHCHALLENGE SERVERHASH=%s SERVERNONCE=%X\r\n",
					sum("Tor safe cookie authentication server-to-controller hash", known, clientNonce, serverNonce), serverNonce)
			}
			want := sum("Tor safe cookie authentication controller-to-server hash", known, clientNonce, serverNonce)
			if strings.EqualFold(line, "AUTHENTICATE "+want) {
				return "250 OK\r\n"
			}
			return "!515 Authentication failed\r\n"
		}
	}
	expect := func(want string) func(string) string {
		return func(line string) string {
			if line == want {
				return "250 OK\r\n"
			}
			return "!515 Authentication failed\r\n"
		}
	}
	tests := map[string]struct {
		auth    string // PROTOCOLINFO's AUTH line
		options tor.Options
		answer  func(string) string
		want    string // of the error
	}{
		"none":            {"METHODS=NULL", tor.Options{}, expect("AUTHENTICATE"), ""},
		"safe cookie":     {`METHODS=COOKIE,SAFECOOKIE COOKIEFILE="` + cookieFile + `"`, tor.Options{}, challenge(cookie), ""},
		"own cookie file": {`METHODS=COOKIE,SAFECOOKIE COOKIEFILE="/nonexistent"`, tor.Options{CookieFile: cookieFile}, challenge(cookie), ""},
		"cookie":          {`METHODS=COOKIE COOKIEFILE="` + cookieFile + `"`, tor.Options{}, expect("AUTHENTICATE " + hex.EncodeToString(cookie)), ""},
		"password":        {`METHODS=COOKIE,SAFECOOKIE,HASHEDPASSWORD COOKIEFILE="/nonexistent"`, tor.Options{Password: `a "b\`}, expect(`AUTHENTICATE "a \"b\\"`), ""},
		"wrong password":  {"METHODS=HASHEDPASSWORD", tor.Options{Password: "hush"}, expect("another"), "515 Authentication failed"},
		"no password":     {"METHODS=HASHEDPASSWORD", tor.Options{}, nil, "give the password"},
		"an impostor":     {`METHODS=SAFECOOKIE COOKIEFILE="` + cookieFile + `"`, tor.Options{}, challenge([]byte("guess")), "does not know the cookie"},
		"no cookie file":  {`METHODS=SAFECOOKIE COOKIEFILE="/nonexistent"`, tor.Options{}, nil, "debian-tor"},
		"not a cookie":    {`METHODS=COOKIE COOKIEFILE="` + shortFile + `"`, tor.Options{}, nil, "has 31 bytes, 32 expected"},
		"malformed":       {`METHODS=COOKIE COOKIEFILE="`, tor.Options{}, nil, "PROTOCOLINFO"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.options.Address = fakeTor(t, func(line string) string {
				if line == "PROTOCOLINFO 1" {
					return "250-PROTOCOLINFO 1\r\n250-AUTH " + test.auth + "\r\n250 OK\r\n"
				}
				return test.answer(line)
			})
			c, err := tor.Dial(within(t, 10*time.Second), test.options)
			if err == nil {
				c.Close()
			}
			if test.want == "" && err != nil {
				t.Fatal(err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Errorf("error %q tells the password", err)
			}
		})
	}
	t.Run("bad addresses", func(t *testing.T) {
		for _, address := range []string{"", "unix:", "localhost", "9051"} {
			if _, err := tor.Dial(t.Context(), tor.Options{Address: address}); err == nil {
				t.Errorf("Dial(%q): no error", address)
			}
		}
	})
	t.Run("not tor", func(t *testing.T) {
		address := fakeTor(t, func(string) string { return "!HTTP/1.1 400 Bad Request\r\n\r\n" })
		if _, err := tor.Dial(within(t, 10*time.Second), tor.Options{Address: address}); err == nil {
			t.Error("no error")
		}
	})
}

// Both ways in that a real tor has.
func TestDial(t *testing.T) {
	node := realNetwork(t).Clients[0]
	c := dial(t, node)
	hash, err := exec.Command("tor", "--quiet", "--hash-password", "foo").Output()
	if err != nil {
		t.Fatal(err)
	}
	do(t, c, "SETCONF ControlPort=127.0.0.1:9951 HashedControlPassword="+strings.TrimSpace(string(hash)))
	defer do(t, c, "RESETCONF ControlPort HashedControlPassword")
	for _, o := range []tor.Options{{Address: "127.0.0.1:9951"}, {Address: "127.0.0.1:9951", Password: "foo"}} {
		other, err := tor.Dial(within(t, 10*time.Second), o)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if version := do(t, other, "GETINFO version"); !strings.HasPrefix(version, "version=0.") {
			t.Errorf("version %q", version)
		}
	}
	if _, err := tor.Dial(within(t, 10*time.Second), tor.Options{Address: "127.0.0.1:9951", Password: "bar"}); err == nil {
		t.Error("wrong password: no error")
	}
}

// Whatever the other side of a fresh connection says, Dial ends.
func FuzzDial(f *testing.F) {
	f.Add("250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n250 OK\r\n250 OK\r\n")
	f.Add("250-AUTH METHODS=COOKIE,SAFECOOKIE COOKIEFILE=\"/dev/null\"\r\n250 OK\r\n")
	f.Add("250 AUTH METHODS=HASHEDPASSWORD\r\n250 AUTHCHALLENGE SERVERHASH=00 SERVERNONCE=\r\n")
	f.Add("514 Authentication required.\r\n")
	f.Fuzz(func(t *testing.T, says string) {
		address := fakeTor(t, func(string) string { return "!" + says })
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		c, err := tor.Dial(ctx, tor.Options{Address: address, Password: "p"})
		if err == nil {
			c.Close()
		}
		if ctx.Err() != nil {
			t.Error("Dial did not end")
		}
	})
}
