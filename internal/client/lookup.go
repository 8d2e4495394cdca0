package client

import (
	"context"
	"errors"

	"github.com/el-tor/tops/internal/socks"
	"github.com/el-tor/tops/internal/tor"
)

// Resolve answers RESOLVE and RESOLVE_PTR of an app by tor's own, through a circuit
// that tor chooses among its ordinary ones and nobody is paid for. The app's user
// name and password keep look-ups apart as they do connections.
func (c *Client) Resolve(ctx context.Context, r socks.Request) (a socks.Answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, connectFor)
	defer cancel()
	if r.Command == socks.ResolvePTR {
		a.Name, err = c.attacher.ResolvePTR(ctx, r.User, r.Password, r.Addr)
	} else {
		a.Addr, err = c.attacher.Resolve(ctx, r.User, r.Password, r.Host())
	}
	var refused tor.SocksError
	if errors.As(err, &refused) {
		return a, errors.Join(err, socks.Reply(refused))
	}
	return a, err
}
