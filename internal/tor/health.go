package tor

import "context"

// Health is how a tor is, for people.
type Health struct {
	Lost     *Loss  // it cannot be reached; nothing else is known then
	Version  string // of tor
	Circuits bool   // it has built circuits (control-spec §3.9, status/circuit-established)
}

// Health asks tor how it is.
func (c *Client) Health(ctx context.Context) Health {
	h := Health{Lost: c.Lost()}
	if h.Lost != nil {
		return h
	}
	h.Version, _ = c.Info(ctx, "version") // what it does not say stays unknown
	established, _ := c.Info(ctx, "status/circuit-established")
	h.Circuits = established == "1"
	return h
}
