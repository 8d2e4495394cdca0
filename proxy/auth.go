package proxy

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// Auth lets controllers in by ourselves, in tor's manner (control-spec §3.5,
// §3.21, §3.24), where tor's own secret should not be theirs. The zero value lets
// nobody in.
type Auth struct {
	// CookieFile is told to controllers; empty: no COOKIE and SAFECOOKIE.
	CookieFile string
	// Cookie is its content.
	Cookie []byte
	// AllowPeer says who on a unix socket needs no cookie; nil: nobody.
	AllowPeer func(Peer) bool
}

// NewCookie draws a cookie and writes it to path with mode, 0600 if 0. The file
// is never there half-written, nor with another mode.
func NewCookie(path string, mode fs.FileMode) (_ []byte, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write cookie file: %w", err)
		}
	}()
	if mode == 0 {
		mode = 0o600
	}
	cookie := make([]byte, controlspec.CookieSize)
	rand.Read(cookie)
	f, err := os.CreateTemp(filepath.Dir(path), ".cookie-*") // 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(cookie); err != nil {
		return nil, err
	}
	if err := f.Chmod(mode); err != nil {
		return nil, err
	}
	return cookie, os.Rename(f.Name(), path)
}

// door is the authentication of one controller.
type door struct {
	auth    *Auth
	peer    *Peer
	version string // tor's
	known   bool   // whoever has its access profile needs no cookie
	expect  []byte // after AUTHCHALLENGE, what AUTHENTICATE must bring
	asked   bool   // PROTOCOLINFO was answered
}

// admit reads commands until the controller has authenticated itself. It says
// everything but the 250 of success. An error means that it must not come in.
func (d *door) admit(in *controlspec.CommandReader, out io.Writer) error {
	for {
		cmd, err := in.ReadCommand()
		if err != nil {
			return err
		}
		reply, in, err := d.answer(cmd)
		if in {
			return nil
		}
		if _, werr := out.Write(reply); werr != nil {
			return werr
		}
		if err != nil {
			return err
		}
	}
}

// answer answers one command; in: the controller has proved itself; an error
// ends the connection.
func (d *door) answer(cmd controlspec.Command) (reply []byte, in bool, err error) {
	end := func(code int, text string) ([]byte, bool, error) {
		return controlspec.AppendLine(nil, code, ' ', text), false, controlspec.Errorf(code, "%s", text)
	}
	switch {
	case cmd.Name == "PROTOCOLINFO" && !cmd.Block && !d.asked:
		d.asked = true
		return d.protocolInfo(), false, nil
	case cmd.Name == "AUTHCHALLENGE" && !cmd.Block && d.expect == nil:
		reply, why := d.challenge(cmd.Args)
		if why != "" {
			return end(513, why)
		}
		return reply, false, nil
	case cmd.Name == "AUTHENTICATE" && !cmd.Block:
		if why := d.authenticate(cmd.Args); why != "" {
			return end(515, "Authentication failed: "+why)
		}
		return nil, true, nil
	case cmd.Name == "QUIT":
		return []byte("250 closing connection\r\n"), false, io.EOF
	}
	return end(514, "Authentication required.")
}

func (d *door) cookies() bool { return d.auth.CookieFile != "" && len(d.auth.Cookie) > 0 }

func (d *door) trusted() bool {
	return d.known || d.peer != nil && d.auth.AllowPeer != nil && d.auth.AllowPeer(*d.peer)
}

func (d *door) protocolInfo() []byte {
	var methods []string
	if d.trusted() {
		methods = append(methods, "NULL")
	}
	line := ""
	if d.cookies() {
		methods = append(methods, "COOKIE", "SAFECOOKIE")
		line = " COOKIEFILE=" + controlspec.Quote(d.auth.CookieFile)
	}
	b := controlspec.AppendLine(nil, 250, '-', "PROTOCOLINFO 1")
	b = controlspec.AppendLine(b, 250, '-', "AUTH METHODS="+strings.Join(methods, ",")+line)
	b = controlspec.AppendLine(b, 250, '-', "VERSION Tor="+controlspec.Quote(d.version))
	return append(b, "250 OK\r\n"...)
}

// challenge answers AUTHCHALLENGE, or says why not.
func (d *door) challenge(args string) (reply []byte, why string) {
	method, arg, _ := strings.Cut(args, " ")
	if !strings.EqualFold(method, "SAFECOOKIE") || !d.cookies() {
		return nil, "AUTHCHALLENGE only supports SAFECOOKIE authentication"
	}
	nonce, err := decodeSecret(arg)
	if err != nil {
		return nil, "Invalid base16 client nonce"
	}
	own := make([]byte, controlspec.CookieSize)
	rand.Read(own)
	server, client := controlspec.SafeCookie(d.auth.Cookie, nonce, own)
	d.expect = client
	return fmt.Appendf(nil, "250 AUTHCHALLENGE SERVERHASH=%X SERVERNONCE=%X\r\n", server, own), ""
}

// authenticate returns why not; empty: the controller is who it should be.
func (d *door) authenticate(args string) string {
	secret, err := decodeSecret(args)
	switch {
	case d.expect != nil:
		if err != nil || subtle.ConstantTimeCompare(secret, d.expect) != 1 {
			return "Safe cookie response did not match expected value."
		}
		return ""
	case d.trusted():
		return "" // like tor without authentication, whatever it brings
	case err != nil:
		return "Malformed argument, expected hex digits or a quoted string."
	case !d.cookies():
		return "This process may not use this socket."
	case len(secret) != len(d.auth.Cookie):
		return "Wrong length on authentication cookie."
	case subtle.ConstantTimeCompare(secret, d.auth.Cookie) != 1:
		return "Authentication cookie did not match expected value."
	}
	return ""
}

// decodeSecret reads hex digits or a QuotedString.
func decodeSecret(s string) ([]byte, error) {
	if !strings.HasPrefix(s, `"`) {
		return hex.DecodeString(strings.TrimSpace(s))
	}
	v, rest, err := controlspec.Unquote(s)
	if err == nil && rest != "" {
		err = fmt.Errorf("trailing characters")
	}
	return []byte(v), err
}
