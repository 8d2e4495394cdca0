package relay

import (
	"context"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/tor"
)

// Gateway is what the relay's gateway has done since tops was started.
func (r *Relay) Gateway() gateway.Stats {
	if r.server == nil { // on El Tor's tor there is none
		return gateway.Stats{}
	}
	return r.server.Stats()
}

// TorHealth is how the relay's tor is.
func (r *Relay) TorHealth(ctx context.Context) tor.Health { return r.tor.Health(ctx) }
