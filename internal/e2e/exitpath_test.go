package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/relay"
	"github.com/el-tor/tops/internal/testnet"
	"github.com/el-tor/tops/internal/tor"
)

// exitPath asks tor's own exit, past the gateway, for what nobody may reach: of a
// relay that was an exit before, so that tor would connect to the whole world.
func (w *world) exitPath(t *testing.T) {
	w.client.stop(t) // the scene may be played alone, or after undo
	w.relay.stop(t)
	if _, err := relay.Undo(t.Context(), tor.Options{Address: w.exit.ControlSocket}, app.RelayStateFile(w.relay.cfg)); err != nil {
		t.Fatal(err)
	}
	w.setconf(t, w.exit, `ExitRelay=1 ExitPolicy="accept *:*"`)
	w.startRelay(t, nil)
	t.Cleanup(func() { w.relay.stop(t) })
	const port = 8099
	came := make(map[string]func() int) // by address, how many have come
	for _, a := range []string{"127.0.0.1", "127.3.2.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
		w.exit.Addr.String(), "::1", "fd00:ec2::254", "fe80::7"} {
		if count := countConnections(t, netip.AddrPortFrom(netip.MustParseAddr(a), port)); count != nil {
			came[a] = count
		}
	}
	ask := func(to netip.AddrPort) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		conn, err := w.stranger.attacher.DialGateway(ctx, tor.Gateway{Fingerprint: w.exit.Fingerprint, Addr: to},
			tor.Target{Circuit: w.stranger.circuit.ID, Hop: len(w.path)})
		if err != nil {
			return err
		}
		defer conn.Close()
		return conn.Connected(ctx)
	}
	// The way is open: the world can be reached by it.
	until(t, "tor's own exit to connect to the world", 20*time.Second, func() bool { return ask(chargen) == nil })
	for _, target := range append(w.gatewayAtOtherAddresses(),
		"127.0.0.1", "127.3.2.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "255.255.255.255",
		w.exit.Addr.String(), "::1", "::", "fd00:ec2::254", "fe80::7", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
		"2002:7f00:1::1", "2001:0:808:404:0:ffff:80ff:fffe") {
		to, err := netip.ParseAddrPort(target)
		if err != nil {
			to = netip.AddrPortFrom(netip.MustParseAddr(target), port)
		}
		err = ask(to)
		var refused *tor.StreamError
		if err == nil {
			t.Errorf("tor's exit connected to %s", to)
		} else if errors.As(err, &refused) {
			t.Logf("%s: %v", to, refused)
		}
	}
	for a, count := range came {
		if n := count(); n > 0 {
			t.Errorf("%d connections reached %s", n, a)
		}
	}
	// And none of it has made the gateway unreachable.
	if err := w.stranger.reach(w); err != nil {
		t.Error(err)
	}
}

// gatewayAtOtherAddresses is its port where the gateway is not, and its machine
// where it is not the port.
func (w *world) gatewayAtOtherAddresses() []string {
	return []string{fmt.Sprintf("127.0.0.1:%d", gwPort), netip.AddrPortFrom(w.exit.Addr, 5000).String(), netip.AddrPortFrom(w.exit.Addr, 22).String()}
}

func (w *world) setconf(t *testing.T, n *testnet.Node, values string) {
	t.Helper()
	conn, err := tor.Dial(t.Context(), tor.Options{Address: n.ControlSocket})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Do(t.Context(), "SETCONF "+values); err != nil {
		t.Fatal(err)
	}
}

// countConnections makes the address this machine's and listens there.
func countConnections(t *testing.T, at netip.AddrPort) func() int {
	t.Helper()
	if a := at.Addr(); !a.IsLoopback() {
		if err := testnet.AddAddress(a); err != nil {
			t.Fatal(err)
		}
	}
	ln, err := net.Listen("tcp", at.String())
	if err != nil && at.Addr().IsLinkLocalUnicast() && at.Addr().Is6() {
		return nil // needs a zone, which no target can have
	}
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan int)
	go func() {
		defer close(accepted)
		n := 0
		for {
			c, err := ln.Accept()
			if err != nil {
				accepted <- n
				return
			}
			c.Close()
			n++
		}
	}()
	t.Cleanup(func() { ln.Close() })
	return func() int {
		ln.Close()
		return <-accepted
	}
}
