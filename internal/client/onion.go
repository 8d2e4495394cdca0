package client

import (
	"context"
	"crypto/rand"
	"net"
	"strings"

	"github.com/el-tor/tops/internal/socks"
	"github.com/el-tor/tops/internal/tor"
	"golang.org/x/net/proxy"
)

// isOnion reports whether a name is an onion service's, with or without the final dot
// that any name may have.
func isOnion(name string) bool {
	return strings.HasSuffix(strings.ToLower(strings.TrimSuffix(name, ".")), ".onion")
}

// connectOnion leaves a connection to an onion service to tor: no exit carries it,
// and nobody is paid. The app's user name and password go along, so that tor keeps
// apart what the app wants kept apart.
func (c *Client) connectOnion(ctx context.Context, r socks.Request) (net.Conn, error) {
	var auth *proxy.Auth
	if r.User != "" {
		auth = &proxy.Auth{User: r.User, Password: r.Password}
	}
	r.Name = strings.TrimSuffix(r.Name, ".") // tor may not know a service by a name with the dot
	return c.throughTor(ctx, auth, r.Target())
}

// DialIsolated makes a connection that tor carries as it likes, on a circuit that
// nothing else shares: who is asked for an invoice sees neither who asks nor what
// else he does. Nobody is paid for it.
func (c *Client) DialIsolated(ctx context.Context, address string) (net.Conn, error) {
	return c.throughTor(ctx, &proxy.Auth{User: "isolated", Password: rand.Text()}, address)
}

func (c *Client) throughTor(ctx context.Context, auth *proxy.Auth, target string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectFor)
	defer cancel()
	listener, err := c.attacher.SocksListener(ctx)
	if err != nil {
		return nil, err
	}
	network, address, err := tor.SplitAddress(listener)
	if err != nil {
		return nil, err
	}
	d, err := proxy.SOCKS5(network, address, auth, nil)
	if err != nil {
		return nil, err
	}
	return d.(proxy.ContextDialer).DialContext(ctx, "tcp", target)
}
