package client

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/tor"
)

// Fingerprint is that of a relay as a controller may name it (control-spec §2.4,
// ServerSpec): $ and 40 hex digits, with or without a nickname behind, or a nickname
// alone, which tor looks up. The error of a name that tor does not know wraps
// [tor.ErrNoRelay].
func (c *Client) Fingerprint(ctx context.Context, name string) (string, error) {
	hex, _, _ := strings.Cut(strings.TrimPrefix(name, "$"), "~")
	hex, _, _ = strings.Cut(strings.ToUpper(hex), "=")
	if len(hex) == 40 && strings.Trim(hex, "0123456789ABCDEF") == "" {
		return hex, nil
	}
	if name == "" || strings.Trim(strings.ToUpper(name), "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" { // no nickname
		return "", fmt.Errorf("%w: %q", tor.ErrNoRelay, name)
	}
	text, err := c.tor.Info(ctx, "ns/name/"+name)
	if refused := new(controlspec.ReplyError); errors.As(err, &refused) {
		return "", fmt.Errorf("%w: %q", tor.ErrNoRelay, name)
	}
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 2 && words[0] == "r" {
			return fingerprintOf(words[2])
		}
	}
	return "", fmt.Errorf("%w: %q", tor.ErrNoRelay, name)
}
