package socks

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Versions (RFC 1928 §3, RFC 1929 §2).
const (
	version4    = 0x04
	version5    = 0x05
	versionAuth = 0x01
)

// Methods of authentication (RFC 1928 §3).
const (
	methodNone       = 0x00
	methodPassword   = 0x02
	methodUnaccepted = 0xff
)

// Address types (RFC 1928 §5).
const (
	typeIPv4 = 0x01
	typeName = 0x03
	typeIPv6 = 0x04
)

// Command is what the app wants (RFC 1928 §4; tor's socks-extensions §2).
type Command byte

// The commands that are answered.
const (
	Connect    Command = 0x01
	Resolve    Command = 0xf0 // a name's address
	ResolvePTR Command = 0xf1 // an address's name
)

// Request is what an app asks for.
type Request struct {
	Command  Command
	Addr     netip.Addr // the zero Addr if Name is set
	Name     string     // as the app wrote it
	Port     uint16
	User     string // with Password: the isolation key
	Password string
	Auth     bool     // whether there were a user and a password, which may be empty
	From     net.Addr // of the app
}

// Host is the address or the name.
func (r Request) Host() string {
	if r.Addr.IsValid() {
		return r.Addr.String()
	}
	return r.Name
}

// Target is host:port, an IPv6 address in brackets.
func (r Request) Target() string { return net.JoinHostPort(r.Host(), strconv.Itoa(int(r.Port))) }

var (
	errMethods = errors.New("socks: no method of authentication that is known")
	errAuth    = errors.New("socks: malformed authentication")
	errVersion = errors.New("socks: not version 5")
)

// negotiate agrees on a method and reads the user and password: RFC 1928 §3,
// RFC 1929. Who offers both methods has something to say.
func negotiate(br *bufio.Reader, w io.Writer, r *Request) error {
	methods, err := readCounted(br, 1)
	if err != nil {
		return err
	}
	switch {
	case strings.IndexByte(methods, methodPassword) >= 0:
		r.Auth = true
		if _, err := w.Write([]byte{version5, methodPassword}); err != nil {
			return err
		}
		return readPassword(br, w, r)
	case strings.IndexByte(methods, methodNone) >= 0:
		_, err := w.Write([]byte{version5, methodNone})
		return err
	}
	w.Write([]byte{version5, methodUnaccepted})
	return errMethods
}

func readPassword(br *bufio.Reader, w io.Writer, r *Request) error {
	v, err := br.ReadByte()
	if err != nil {
		return err
	}
	if v != versionAuth {
		return errAuth
	}
	if r.User, err = readCounted(br, 0); err != nil {
		return err
	}
	if r.Password, err = readCounted(br, 0); err != nil {
		return err
	}
	_, err = w.Write([]byte{versionAuth, 0})
	return err
}

// readRequest reads RFC 1928 §4. An error that is a [Reply] is to be answered.
func readRequest(br *bufio.Reader, r *Request) error {
	var h [4]byte
	if _, err := io.ReadFull(br, h[:]); err != nil {
		return err
	}
	if h[0] != version5 {
		return errVersion
	}
	var err error
	switch h[3] {
	case typeIPv4:
		var a [4]byte
		_, err = io.ReadFull(br, a[:])
		r.Addr = netip.AddrFrom4(a)
	case typeIPv6:
		var a [16]byte
		_, err = io.ReadFull(br, a[:])
		r.Addr = netip.AddrFrom16(a)
	case typeName:
		r.Name, err = readCounted(br, 0)
	default:
		return AddressUnsupported
	}
	if err != nil {
		return err
	}
	var port [2]byte
	if _, err := io.ReadFull(br, port[:]); err != nil {
		return err
	}
	r.Command, r.Port = Command(h[1]), binary.BigEndian.Uint16(port[:])
	return r.check()
}

// check refuses what no handler should see, and makes an address of a name that
// is one.
func (r *Request) check() error {
	if r.Command != Connect && r.Command != Resolve && r.Command != ResolvePTR {
		return CommandUnsupported // BIND and UDP ASSOCIATE among them
	}
	if r.Name != "" {
		if a, err := netip.ParseAddr(r.Name); err == nil && a.Zone() == "" {
			r.Addr, r.Name = a, ""
		}
	}
	if !r.Addr.IsValid() && !isName(r.Name) || r.Command == Connect && r.Port == 0 || r.Command == ResolvePTR && !r.Addr.IsValid() {
		return GeneralFailure
	}
	return nil
}

// isName reports whether s can be a host name. It lets more pass than DNS does
// (tor's .exit and MAPADDRESS names), but nothing that could be mistaken for a
// separator or break a line.
func isName(s string) bool {
	return s != "" && len(s) <= 255 &&
		strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}

// readCounted reads a string with its length in front, at least least bytes.
func readCounted(br *bufio.Reader, least int) (string, error) {
	n, err := br.ReadByte()
	if err != nil {
		return "", err
	}
	if int(n) < least {
		return "", errMethods
	}
	b := make([]byte, n)
	_, err = io.ReadFull(br, b)
	return string(b), err
}
