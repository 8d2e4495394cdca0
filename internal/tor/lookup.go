package tor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"
)

// A SocksError is the reply code with which tor's SocksPort refused (RFC 1928 §6).
type SocksError byte

func (e SocksError) Error() string {
	text, ok := socksErrors[byte(e)]
	if !ok {
		text = fmt.Sprintf("code %d", byte(e))
	}
	return "tor's SocksPort: " + text
}

// The commands of tor's socks-extensions §2.
const (
	commandResolve    = 0xf0
	commandResolvePTR = 0xf1
)

// Resolve has tor look up a name's address through a circuit of tor's own choice
// (socks-extensions, RESOLVE). Streams with another user or password get another
// circuit.
func (a *Attacher) Resolve(ctx context.Context, user, password, name string) (netip.Addr, error) {
	if name == "" || len(name) > 255 {
		return netip.Addr{}, fmt.Errorf("host name of %d bytes", len(name))
	}
	kind, answer, err := a.lookup(ctx, user, password, commandResolve, append([]byte{3, byte(len(name))}, name...))
	if err != nil {
		return netip.Addr{}, err
	}
	addr, ok := netip.AddrFromSlice(answer)
	if kind == 3 || !ok {
		return netip.Addr{}, errors.New("tor's SocksPort: no address in the answer")
	}
	return addr, nil
}

// ResolvePTR has tor look up an address's name (socks-extensions, RESOLVE_PTR).
func (a *Attacher) ResolvePTR(ctx context.Context, user, password string, addr netip.Addr) (string, error) {
	kind := byte(1)
	if addr.Is6() {
		kind = 4
	}
	got, answer, err := a.lookup(ctx, user, password, commandResolvePTR, append([]byte{kind}, addr.AsSlice()...))
	if err != nil {
		return "", err
	}
	if got != 3 {
		return "", errors.New("tor's SocksPort: no name in the answer")
	}
	return string(answer), nil
}

// lookup asks, and returns the address of the reply with its type.
func (a *Attacher) lookup(ctx context.Context, user, password string, command byte, what []byte) (kind byte, answer []byte, err error) {
	listener, err := socksListener(ctx, a)
	if err != nil {
		return 0, nil, err
	}
	network, address, err := SplitAddress(listener)
	if err != nil {
		return 0, nil, fmt.Errorf("tor's SocksPort: %w", err)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return 0, nil, fmt.Errorf("tor's SocksPort: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	if err = greet(conn, user, password); err == nil {
		_, err = conn.Write(append(append([]byte{5, command, 0}, what...), 0, 0))
	}
	if err == nil {
		kind, answer, err = readReply(conn)
	}
	if !stop() {
		return 0, nil, context.Cause(ctx)
	}
	return kind, answer, err
}

// readReply reads RFC 1928 §6 with an address of any type.
func readReply(r io.Reader) (kind byte, address []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, fmt.Errorf("tor's SocksPort: %w", err)
	}
	size := 0
	switch {
	case head[0] != 5:
		return 0, nil, errors.New("tor's SocksPort: the answer is not SOCKS5")
	case head[1] != 0:
		return 0, nil, SocksError(head[1])
	case head[3] == 1:
		size = 4
	case head[3] == 4:
		size = 16
	case head[3] == 3:
		var n [1]byte
		if _, err := io.ReadFull(r, n[:]); err != nil {
			return 0, nil, fmt.Errorf("tor's SocksPort: %w", err)
		}
		size = int(n[0])
	default:
		return 0, nil, fmt.Errorf("tor's SocksPort: address type %d", head[3])
	}
	address = make([]byte, size)
	if _, err := io.ReadFull(r, address); err != nil {
		return 0, nil, fmt.Errorf("tor's SocksPort: %w", err)
	}
	return head[3], address, nil
}
