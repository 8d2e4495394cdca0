package tor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/el-tor/tops/controlspec"
)

// A Gateway is a relay's paid exit, as a client reaches it.
type Gateway struct {
	Fingerprint string         // of the relay, 40 hex digits
	Addr        netip.AddrPort // the relay's own address, and the gateway's port
}

// Target is the way that a stream goes: which circuit, and how far along it.
type Target struct {
	Circuit string
	Hop     int // 2 is the second relay; 0: the last. The first has no streams
}

// DialGateway opens a connection to the gateway of a hop of a circuit.
//
// It goes by a name that is mapped to the relay (MAPADDRESS, "….exit"), since
// a refusal on a plain address makes tor distrust the circuit's exit, whatever
// hop refused. It returns as soon as tor has taken the request: what is written
// then goes with it, in the first cells, and the first Read, or
// [StreamConn.Connected], tells whether it came through.
func (a *Attacher) DialGateway(ctx context.Context, g Gateway, t Target) (*StreamConn, error) {
	name, err := a.mapGateway(ctx, g)
	if err != nil {
		return nil, fmt.Errorf("gateway %s: %w", g.Addr, err)
	}
	conn, err := a.Dial(ctx, name, g.Addr.Port(), t)
	if err != nil {
		return nil, fmt.Errorf("gateway %s: %w", g.Addr, err)
	}
	return conn, nil
}

// mapGateway maps a name to the relay and its address, once in a tor's life.
func (a *Attacher) mapGateway(ctx context.Context, g Gateway) (name string, err error) {
	if !isFingerprint(g.Fingerprint) {
		return "", fmt.Errorf("%q is not a relay's fingerprint", g.Fingerprint)
	}
	name = strings.ToLower(g.Fingerprint) + gatewayDomain
	address := g.Addr.Addr().String() + "." + strings.ToUpper(g.Fingerprint) + ".exit"
	a.mu.Lock()
	known := a.mapped[name] == address
	a.mu.Unlock()
	if known {
		return name, nil
	}
	if _, err := a.Do(ctx, "MAPADDRESS "+name+"="+address); err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mapped[name] = address
	return name, nil
}

// Dial opens a connection to host:port through a circuit; see DialGateway for
// what is and is not known when it returns.
func (a *Attacher) Dial(ctx context.Context, host string, port uint16, t Target) (*StreamConn, error) {
	listener, err := socksListener(ctx, a)
	if err != nil {
		return nil, err
	}
	network, address, err := SplitAddress(listener)
	if err != nil {
		return nil, fmt.Errorf("tor's SocksPort: %w", err)
	}
	var d net.Dialer
	sock, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("tor's SocksPort: %w", err)
	}
	s := a.newStream(t.Circuit, t.Hop, func() { sock.Close() })
	c := &StreamConn{Conn: sock, attacher: a, stream: s}
	// The connection may have been lost before the stream was registered.
	if a.get() == nil {
		c.Close()
		return nil, ErrNotConnected
	}
	if err := c.request(ctx, host, port); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// SocksListener is where tor's SocksPort is: host:port, or unix:PATH.
func (a *Attacher) SocksListener(ctx context.Context) (string, error) { return socksListener(ctx, a) }

// socksListener is the first address on which tor speaks SOCKS.
func socksListener(ctx context.Context, d doer) (string, error) {
	text, err := getInfo(ctx, d, "net/listeners/socks")
	if err != nil {
		return "", err
	}
	if text == "" {
		return "", errors.New("tor has no SocksPort: set one in torrc")
	}
	first, _, err := controlspec.Unquote(text)
	if err != nil {
		return "", fmt.Errorf("GETINFO net/listeners/socks: %w", err)
	}
	return first, nil
}

// aMoment is how long the reason of a failure may come after the failure.
const aMoment = time.Second

// explain adds tor's reason, from the control port, to an error that SOCKS
// gave.
func (c *StreamConn) explain(err error) error {
	wait := aMoment
	if errors.Is(err, net.ErrClosed) {
		wait = 0
	}
	select {
	case <-c.stream.ended:
		err = c.stream.reason()
	case <-time.After(wait):
	}
	hop := "last hop"
	if c.stream.hop > 0 {
		hop = fmt.Sprintf("hop %d", c.stream.hop)
	}
	return fmt.Errorf("%s of circuit %s: %w", hop, c.stream.circuit, err)
}
