package eltor

import (
	"fmt"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// Hop is a relay of a paid circuit, with what it is told.
type Hop struct {
	Fingerprint string // 40 hex digits, upper case
	Payload     Payload
}

// command writes EXTENDPAIDCIRCUIT for a new circuit. El Tor's tor dies of much
// that it does not expect, so what is written here is checked digit by digit, and
// nothing else ever writes this command: two hops or more, none twice in a row,
// id 0, exactly 768 lower-case hex digits a hop.
func command(hops []Hop) (cmd controlspec.Command, err error) {
	cmd = controlspec.Command{Name: "EXTENDPAIDCIRCUIT", Args: "0", Block: true}
	if len(hops) < controlspec.MinPaidHops || len(hops) > controlspec.MaxPaidHops {
		return cmd, fmt.Errorf("a paid circuit has %d to %d hops, not %d", controlspec.MinPaidHops, controlspec.MaxPaidHops, len(hops))
	}
	for i, h := range hops {
		if len(h.Fingerprint) != 40 || strings.Trim(h.Fingerprint, "0123456789ABCDEF") != "" {
			return cmd, fmt.Errorf("hop %d: %q is not a fingerprint of 40 upper-case hex digits", i+1, h.Fingerprint)
		}
		if i > 0 && hops[i-1].Fingerprint == h.Fingerprint {
			return cmd, fmt.Errorf("hop %d is the same relay as the one before it", i+1)
		}
		text := h.Payload.String()
		if _, err := ParsePayload(text); err != nil {
			return cmd, fmt.Errorf("hop %d: %w", i+1, err)
		}
		cmd.Data += h.Fingerprint + " " + text + "\n"
	}
	return cmd, nil
}
