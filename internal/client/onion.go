package client

import (
	"context"
	"net"

	"github.com/el-tor/tops/internal/socks"
	"github.com/el-tor/tops/internal/tor"
	"golang.org/x/net/proxy"
)

// connectOnion leaves a connection to an onion service to tor: no exit carries it,
// and nobody is paid. The app's user name and password go along, so that tor keeps
// apart what the app wants kept apart.
func (c *Client) connectOnion(ctx context.Context, r socks.Request) (net.Conn, error) {
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
	var auth *proxy.Auth
	if r.User != "" {
		auth = &proxy.Auth{User: r.User, Password: r.Password}
	}
	d, err := proxy.SOCKS5(network, address, auth, nil)
	if err != nil {
		return nil, err
	}
	return d.(proxy.ContextDialer).DialContext(ctx, "tcp", r.Target())
}
