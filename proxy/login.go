package proxy

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/el-tor/tops/controlspec"
)

// Login authenticates our side of connections to tor, for controllers that
// authenticate themselves to us. The zero value uses what tor's PROTOCOLINFO
// offers: nothing at all, or the cookie file that it names.
type Login struct {
	CookieFile string // instead of the one that tor names
	Password   string // used if tor offers passwords only, or no readable cookie
}

// do authenticates conn and returns tor's version. Errors hold no secret.
func (l Login) do(ctx context.Context, conn net.Conn) (version string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("authenticate to tor: %w", err)
		}
	}()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
		defer conn.SetDeadline(time.Time{})
	}
	r := controlspec.NewReplyReader(conn)
	r.Limit = 1 << 16
	ask := func(cmd string) (controlspec.Reply, error) {
		if _, err := conn.Write([]byte(cmd + "\r\n")); err != nil {
			return controlspec.Reply{}, err
		}
		rep, err := r.ReadReply()
		if err == nil {
			err = rep.Err()
		}
		return rep, err
	}
	rep, err := ask("PROTOCOLINFO 1")
	if err != nil {
		return "", err
	}
	methods, file, version := readProtocolInfo(rep)
	if l.CookieFile != "" {
		file = l.CookieFile
	}
	has := func(m string) bool { return slices.Contains(methods, m) }
	if has("NULL") {
		_, err = ask("AUTHENTICATE")
		return version, err
	}
	cookie, cerr := []byte(nil), errors.New("tor offers no cookie")
	if file != "" && (has("SAFECOOKIE") || has("COOKIE")) {
		if cookie, cerr = os.ReadFile(file); cerr == nil && len(cookie) != controlspec.CookieSize {
			cerr = fmt.Errorf("cookie file %q has %d bytes, not %d", file, len(cookie), controlspec.CookieSize)
		}
	}
	switch {
	case cerr == nil && has("SAFECOOKIE"):
		var secret []byte
		if secret, err = challenge(ask, cookie); err == nil {
			_, err = ask("AUTHENTICATE " + hex.EncodeToString(secret))
		}
	case cerr == nil:
		_, err = ask("AUTHENTICATE " + hex.EncodeToString(cookie))
	case l.Password != "" && has("HASHEDPASSWORD"):
		_, err = ask("AUTHENTICATE " + controlspec.Quote(l.Password))
	default:
		err = cerr
	}
	return version, err
}

// challenge makes tor prove that it knows the cookie, and returns our proof.
func challenge(ask func(string) (controlspec.Reply, error), cookie []byte) ([]byte, error) {
	nonce := make([]byte, controlspec.CookieSize)
	rand.Read(nonce)
	rep, err := ask("AUTHCHALLENGE SAFECOOKIE " + hex.EncodeToString(nonce))
	if err != nil {
		return nil, err
	}
	args, err := controlspec.ParseArgs(rep.Lines[0].Text)
	if err != nil {
		return nil, err
	}
	val := make(map[string][]byte)
	for _, a := range args {
		if a.HasKey {
			if val[a.Key], err = hex.DecodeString(a.Value); err != nil {
				return nil, errors.New("malformed reply to AUTHCHALLENGE")
			}
		}
	}
	server, client := controlspec.SafeCookie(cookie, nonce, val["SERVERNONCE"])
	if !hmac.Equal(server, val["SERVERHASH"]) {
		return nil, errors.New("what answers does not know tor's cookie")
	}
	return client, nil
}

func readProtocolInfo(rep controlspec.Reply) (methods []string, cookieFile, version string) {
	for _, l := range rep.Lines {
		args, err := controlspec.ParseArgs(l.Text)
		if err != nil {
			continue
		}
		for _, a := range args {
			switch a.Key {
			case "METHODS":
				methods = strings.Split(a.Value, ",")
			case "COOKIEFILE":
				cookieFile = a.Value
			case "Tor":
				version = a.Value
			}
		}
	}
	return methods, cookieFile, version
}
