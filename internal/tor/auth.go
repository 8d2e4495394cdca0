package tor

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

	"github.com/el-tor/tops/controlspec"
)

// Options say where tor's control port is and how to authenticate.
type Options struct {
	// Address is the path of a unix socket ("/run/tor/control", also with
	// "unix:" in front) or host:port. The socket is faster.
	Address string
	// Password is for a tor with HashedControlPassword; it is used when it is
	// set and tor takes one.
	Password string
	// CookieFile overrides the path that tor gives, which may be another one
	// in its container.
	CookieFile string
}

// SplitAddress reads the address of a control or SOCKS port as users and tor
// write it, and returns what net.Dial wants.
func SplitAddress(address string) (network, rest string, err error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok || strings.HasPrefix(address, "/") {
		if path == "" {
			return "", "", errors.New("address \"unix:\" has no path")
		}
		return "unix", path, nil
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return "", "", fmt.Errorf("address %q is neither host:port nor the path of a unix socket", address)
	}
	return "tcp", address, nil
}

// cookieSize is fixed by control-spec §3.24.
const cookieSize = 32

// authenticate chooses the best method that tor offers: none, a password that
// was given, SAFECOOKIE, COOKIE.
func (c *Conn) authenticate(ctx context.Context, o Options) error {
	methods, cookieFile, err := c.protocolInfo(ctx)
	if err != nil {
		return err
	}
	if o.CookieFile != "" {
		cookieFile = o.CookieFile
	}
	offers := func(method string) bool { return slices.Contains(methods, method) }
	switch {
	case offers("NULL"):
		_, err = c.Do(ctx, "AUTHENTICATE")
	case o.Password != "" && offers("HASHEDPASSWORD"):
		_, err = c.Do(ctx, "AUTHENTICATE "+controlspec.Quote(o.Password))
	case offers("SAFECOOKIE"):
		err = c.safeCookie(ctx, cookieFile)
	case offers("COOKIE"):
		var cookie []byte
		if cookie, err = readCookie(cookieFile); err == nil {
			_, err = c.Do(ctx, "AUTHENTICATE "+hex.EncodeToString(cookie))
		}
	default:
		err = fmt.Errorf("tor offers %s: give the password, or set CookieAuthentication 1 in torrc", strings.Join(methods, ", "))
	}
	if err != nil {
		return fmt.Errorf("authenticating to tor: %w", err)
	}
	return nil
}

// protocolInfo reads PROTOCOLINFO's AUTH line, control-spec §3.21.
func (c *Conn) protocolInfo(ctx context.Context) (methods []string, cookieFile string, err error) {
	reply, err := c.Do(ctx, "PROTOCOLINFO 1")
	if err != nil {
		return nil, "", err
	}
	for _, line := range reply.Lines {
		words, ok := strings.CutPrefix(line.Text, "AUTH ")
		if !ok {
			continue
		}
		args, err := controlspec.ParseArgs(words)
		if err != nil {
			return nil, "", fmt.Errorf("PROTOCOLINFO: %w", err)
		}
		for _, arg := range args {
			switch arg.Key {
			case "METHODS":
				methods = strings.Split(arg.Value, ",")
			case "COOKIEFILE":
				cookieFile = arg.Value
			}
		}
	}
	if methods == nil {
		return nil, "", errors.New("PROTOCOLINFO: no AUTH line; is this tor's control port?")
	}
	return methods, cookieFile, nil
}

func readCookie(path string) ([]byte, error) {
	if path == "" {
		return nil, errors.New("tor names no cookie file")
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cookie: %w: is this user in the group that may read it (on Debian: debian-tor)?", err)
	}
	if info.Size() != cookieSize {
		// Sending some other file's content would be a way to steal it.
		return nil, fmt.Errorf("cookie: %s has %d bytes, %d expected", path, info.Size(), cookieSize)
	}
	cookie, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cookie: %w: is this user in the group that may read it (on Debian: debian-tor)?", err)
	}
	return cookie, nil
}

// safeCookie proves that both sides know the cookie without showing it.
func (c *Conn) safeCookie(ctx context.Context, cookieFile string) error {
	cookie, err := readCookie(cookieFile)
	if err != nil {
		return err
	}
	nonce := make([]byte, 32)
	rand.Read(nonce)
	reply, err := c.Do(ctx, "AUTHCHALLENGE SAFECOOKIE "+hex.EncodeToString(nonce))
	if err != nil {
		return err
	}
	challenge, err := controlspec.ParseArgs(reply.Lines[0].Text)
	if err != nil {
		return fmt.Errorf("AUTHCHALLENGE: %w", err)
	}
	var serverHash, serverNonce []byte
	for _, arg := range challenge {
		switch arg.Key {
		case "SERVERHASH":
			serverHash, _ = hex.DecodeString(arg.Value)
		case "SERVERNONCE":
			serverNonce, _ = hex.DecodeString(arg.Value)
		}
	}
	tors, ours := controlspec.SafeCookie(cookie, nonce, serverNonce)
	if !hmac.Equal(serverHash, tors) {
		return errors.New("AUTHCHALLENGE: the other side does not know the cookie")
	}
	_, err = c.Do(ctx, "AUTHENTICATE "+hex.EncodeToString(ours))
	return err
}
