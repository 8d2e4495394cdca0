package testnet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/textproto"
	"time"

	"github.com/cretz/bine/control"
)

// pollEvery is how often a node is asked for what is waited for.
const pollEvery = 50 * time.Millisecond

// listens waits until a node takes connections at a port.
func (n *Node) listens(ctx context.Context, port uint16) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for r := n.life(); ; {
		conn, err := net.Dial("tcp", netip.AddrPortFrom(n.Addr, port).String())
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ticker.C:
		case <-r.exited:
			return n.up(ctx) // says why not
		case <-ctx.Done():
			return n.up(ctx)
		}
	}
}

// knows waits until a client holds the microdescriptor of each relay. A
// client is bootstrapped with two thirds of them, and a circuit through one of
// the others would fail.
func (n *Node) knows(ctx context.Context, relays []*Node) error {
	var d net.Dialer
	sock, err := d.DialContext(ctx, "unix", n.ControlSocket)
	if err != nil {
		return fmt.Errorf("testnet: %s: %w", n.Name, err)
	}
	conn := control.NewConn(textproto.NewConn(sock))
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { sock.Close() })
	defer stop()
	if err := conn.Authenticate(""); err != nil {
		return fmt.Errorf("testnet: %s: authenticating: %w", n.Name, err)
	}
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for _, relay := range relays {
		for {
			if _, err := conn.GetInfo("md/id/" + relay.Fingerprint); err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("testnet: %s does not know %s: %w; its last words:%s", n.Name, relay.Name, context.Cause(ctx), n.life().log.tail())
			case <-ticker.C:
			}
		}
	}
	return nil
}
