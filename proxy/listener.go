package proxy

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// Listener is where controllers connect, and how they are let in there.
type Listener struct {
	Addr string // as [Listen] takes it
	Own  bool   // tops authenticates controllers, not tor
	ListenOptions
}

// ParseListener reads an address that may have options behind it:
//
//	unix:/run/tops/control?mode=0660&group=debian-tor&auth=own
//
// They are mode and group of a unix socket, auth=own or auth=pass, and remote=true
// for addresses that other machines reach. What is not named is as in defaults.
func ParseListener(s string, defaults Listener) (Listener, error) {
	l := defaults
	var query string
	l.Addr, query, _ = strings.Cut(s, "?")
	options, err := url.ParseQuery(query)
	if err != nil {
		return l, fmt.Errorf("listener %q: options are name=value, with & between", s)
	}
	for name, values := range options {
		if err := l.set(name, values[len(values)-1]); err != nil {
			return l, fmt.Errorf("listener %q: %w", s, err)
		}
	}
	if err := l.check(); err != nil {
		return l, fmt.Errorf("listener %q: %w", s, err)
	}
	return l, nil
}

// check says what is wrong without a socket being opened or a name looked up.
func (l Listener) check() error {
	if strings.HasPrefix(l.Addr, "systemd:") {
		return nil
	}
	network, addr, err := splitAddr(l.Addr)
	if err != nil || network == "unix" {
		return err
	}
	host, _, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil) {
		err = checkLocal(&net.TCPAddr{IP: ip}, l.ListenOptions)
	}
	return err
}

func (l *Listener) set(name, value string) error {
	switch name {
	case "mode":
		mode, err := strconv.ParseUint(value, 8, 9)
		if err != nil || mode == 0 {
			return fmt.Errorf("mode %q is not an octal number such as 0660", value)
		}
		l.Mode = os.FileMode(mode)
	case "group":
		l.Group = value
	case "auth":
		if value != "own" && value != "pass" {
			return fmt.Errorf("auth is own or pass, not %q", value)
		}
		l.Own = value == "own"
	case "remote":
		remote, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("remote is true or false, not %q", value)
		}
		l.AllowRemote = remote
	default:
		return fmt.Errorf("no option %q: there are mode, group, auth and remote", name)
	}
	return nil
}

// Listen opens it.
func (l Listener) Listen() (net.Listener, error) { return Listen(l.Addr, l.ListenOptions) }
