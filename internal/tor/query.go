package tor

import "context"

// Info asks tor for one value (control-spec §3.9, GETINFO).
func (c *Client) Info(ctx context.Context, key string) (string, error) { return getInfo(ctx, c, key) }

// Conf asks for options' values (control-spec §3.3, GETCONF). The map's keys are
// in lower case; an option that has no value has no entry.
func (c *Client) Conf(ctx context.Context, keys ...string) (map[string][]string, error) {
	return getConf(ctx, c, keys)
}

// ReleaseStreams gives every stream that waits for a controller to tor, which
// attaches it as it sees fit.
func (c *Client) ReleaseStreams(ctx context.Context) error { return release(ctx, c) }
