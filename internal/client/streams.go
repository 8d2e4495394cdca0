package client

import "github.com/el-tor/tops/internal/tor"

// LeaveStreams notes that somebody else wants to attach streams too. Those that
// are not ours are left alone from here on, until the option is set to 0, which
// tor reports; and it stays 1 when we end.
func (c *Client) LeaveStreams() error {
	if c.native != nil {
		return nil // they never were ours
	}
	return c.settings.SetBase(tor.LeaveStreamsUnattached, "1")
}
