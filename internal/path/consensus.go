package path

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Consensus is what the directory authorities agree on, as far as paths need it.
type Consensus struct {
	Relays  []Relay
	Weights map[string]int64 // bandwidth-weights by name (Wmg, …), in 1/10000; empty if there are none

	index map[string]int
}

// ParseConsensus reads a consensus of either flavor (dir-spec §3.4.1), or the relays'
// entries alone, as GETINFO ns/all gives them. What it does not know it passes over.
func ParseConsensus(text string) (*Consensus, error) {
	c := &Consensus{Weights: make(map[string]int64), index: make(map[string]int)}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		var err error
		switch last := len(c.Relays) - 1; {
		case words[0] == "r":
			err = c.add(words)
		case words[0] == "bandwidth-weights":
			err = c.weigh(words[1:])
		case last < 0: // a header
		case words[0] == "a" && len(words) == 2:
			if at, aerr := netip.ParseAddrPort(words[1]); aerr == nil {
				c.Relays[last].Addrs = append(c.Relays[last].Addrs, at)
			}
		case words[0] == "s":
			c.Relays[last].Flags = words[1:]
		case words[0] == "w":
			c.Relays[last].Bandwidth, err = bandwidth(words[1:])
		}
		if err != nil {
			return nil, fmt.Errorf("consensus: %q: %w", strings.TrimSpace(line), err)
		}
	}
	return c, nil
}

// add begins a relay: r nickname identity [digest] date time IP ORPort DirPort.
func (c *Consensus) add(words []string) error {
	if len(words) != 8 && len(words) != 9 {
		return fmt.Errorf("%d words", len(words))
	}
	identity, err := base64.RawStdEncoding.DecodeString(words[2])
	if err != nil || len(identity) != 20 {
		return fmt.Errorf("%q is no relay's identity", words[2])
	}
	r := Relay{Fingerprint: fmt.Sprintf("%X", identity), Nickname: words[1]}
	addr, err := netip.ParseAddr(words[len(words)-3])
	if err != nil {
		return err
	}
	port, err := strconv.ParseUint(words[len(words)-2], 10, 16)
	if err != nil {
		return err
	}
	r.Addrs = []netip.AddrPort{netip.AddrPortFrom(addr, uint16(port))}
	c.index[r.Fingerprint] = len(c.Relays)
	c.Relays = append(c.Relays, r)
	return nil
}

// bandwidth reads a w line.
func bandwidth(words []string) (int64, error) {
	for _, w := range words {
		if value, ok := strings.CutPrefix(w, "Bandwidth="); ok {
			n, err := strconv.ParseUint(value, 10, 32)
			return int64(n), err
		}
	}
	return 0, nil
}

func (c *Consensus) weigh(words []string) error {
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		n, err := strconv.ParseInt(value, 10, 32)
		if err != nil || n < 0 {
			return fmt.Errorf("%q is no weight", w)
		}
		c.Weights[name] = n
	}
	return nil
}

// Relay finds a relay by its fingerprint.
func (c *Consensus) Relay(fingerprint string) (Relay, bool) {
	i, ok := c.index[fingerprint]
	if !ok {
		return Relay{}, false
	}
	return c.Relays[i], true
}

// A position is a relay's place on a path, in the letters of bandwidth-weights.
type position string

const (
	middlePosition position = "m"
	exitPosition   position = "e"
)

// weight is a relay's bandwidth, times the weight that the consensus gives to its
// kind in a position (dir-spec §3.8.3): so that guards and exits are not used up as
// middle relays.
func (c *Consensus) weight(r Relay, p position) float64 {
	kind := "m"
	switch guard, exit := r.Is("Guard"), r.Is("Exit") && !r.Is("BadExit"); {
	case guard && exit:
		kind = "d"
	case guard:
		kind = "g"
	case exit:
		kind = "e"
	}
	share, ok := c.Weights["W"+string(p)+kind]
	if !ok {
		share = unweighted
	}
	return float64(r.Bandwidth) * float64(share) / unweighted
}

const unweighted = 10_000
