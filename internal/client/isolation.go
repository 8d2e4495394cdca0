package client

import (
	"net"

	"github.com/el-tor/tops/internal/socks"
)

// isolation is what connections must have in common to share a circuit, as with
// tor's SocksPort and its defaults: the app's address (IsolateClientAddr), its user
// name and its password (IsolateSOCKSAuth). Whether it speaks SOCKS or HTTP makes no
// difference, since each circuit costs money.
type isolation struct {
	from           string
	auth           bool // an empty user name is not the same as none
	user, password string
}

func isolationOf(r socks.Request) isolation {
	key := isolation{auth: r.Auth, user: r.User, password: r.Password}
	if r.From != nil {
		key.from = r.From.String()
		if host, _, err := net.SplitHostPort(key.from); err == nil {
			key.from = host
		}
	}
	return key
}
