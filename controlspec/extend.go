package controlspec

import (
	"strconv"
	"strings"
)

// Bounds of a paid path. tor attaches no stream to a circuit of one hop, and
// eight is where its own extension of circuits ends.
const (
	MinPaidHops = 2
	MaxPaidHops = 8
)

// PaidRounds is how many round ids El Tor's form of EXTENDPAIDCIRCUIT carries
// for each hop.
const PaidRounds = 10

// PaidHop is one hop of EXTENDPAIDCIRCUIT.
type PaidHop struct {
	Fingerprint string // 40 hex digits, upper case

	// What a controller that pays itself brings, in El Tor's form; each is 64
	// hex digits in lower case. All of it is secret.
	PaymentIDHash string
	Preimage      string
	RoundIDs      []string // PaidRounds of them; nil in the plain form
}

// ExtendPaidCircuit is an EXTENDPAIDCIRCUIT command (tops-control-spec §3.1).
type ExtendPaidCircuit struct {
	Hops []PaidHop
	// SelfPaid: the hops carry hashes that the controller brought and will pay.
	SelfPaid bool
}

// Path is the fingerprints.
func (e ExtendPaidCircuit) Path() []string {
	path := make([]string, len(e.Hops))
	for i, h := range e.Hops {
		path[i] = h.Fingerprint
	}
	return path
}

// ParseExtendPaidCircuit reads either form of the command. Errors are
// [*ReplyError]s, fit to be answered; they hold no secret.
func ParseExtendPaidCircuit(cmd Command) (ExtendPaidCircuit, error) {
	var e ExtendPaidCircuit
	id, path, _ := strings.Cut(cmd.Args, " ")
	path = strings.TrimSpace(path)
	switch {
	case id == "":
		return e, Errorf(512, "Missing argument to EXTENDPAIDCIRCUIT: expected 0 and a path")
	case id != "0":
		if _, err := strconv.ParseUint(id, 10, 32); err != nil {
			return e, Errorf(512, "Malformed circuit id %s", Quote(clip(id)))
		}
		return e, Errorf(552, "A paid circuit is built whole: the circuit id must be 0")
	case cmd.Block && path != "":
		return e, Errorf(512, "EXTENDPAIDCIRCUIT takes a path or a data block, not both")
	case !cmd.Block && path == "":
		return e, Errorf(512, "Missing argument to EXTENDPAIDCIRCUIT: expected a path of fingerprints")
	}
	var lines []string
	if e.SelfPaid = cmd.Block; e.SelfPaid {
		lines = strings.Split(strings.TrimSuffix(cmd.Data, "\n"), "\n")
	} else {
		lines = strings.Split(path, ",")
	}
	if len(lines) < MinPaidHops || len(lines) > MaxPaidHops {
		return e, Errorf(512, "A paid circuit has %d to %d hops, not %d", MinPaidHops, MaxPaidHops, len(lines))
	}
	seen := make(map[string]bool)
	for i, line := range lines {
		hop, err := parseHop(line, i+1, e.SelfPaid)
		if err != nil {
			return e, err
		}
		if i > 0 && e.Hops[i-1].Fingerprint == hop.Fingerprint {
			return e, Errorf(512, "Hop %d is the same relay as the one before it", i+1)
		}
		for _, id := range append([]string{hop.PaymentIDHash}, hop.RoundIDs...) {
			if e.SelfPaid && seen[id] {
				return e, Errorf(512, "Hop %d: every payment id must be distinct", i+1)
			}
			seen[id] = true
		}
		e.Hops = append(e.Hops, hop)
	}
	return e, nil
}

func parseHop(line string, n int, selfPaid bool) (PaidHop, error) {
	var h PaidHop
	fp, rest := strings.TrimSpace(line), ""
	if selfPaid {
		fp, rest, _ = strings.Cut(fp, " ")
	}
	fp = strings.ToUpper(strings.TrimPrefix(fp, "$"))
	if !isHex(fp, 40, true) {
		return h, Errorf(512, "Hop %d: %s is not a fingerprint of 40 hex digits", n, Quote(clip(fp)))
	}
	h.Fingerprint = fp
	if !selfPaid {
		return h, nil
	}
	const size = 64
	hex := strings.ToLower(rest)
	if !isHex(hex, (2+PaidRounds)*size, false) {
		return h, Errorf(512, "Hop %d: expected %d hex digits behind the fingerprint", n, (2+PaidRounds)*size)
	}
	h.PaymentIDHash, h.Preimage = hex[:size], hex[size:2*size]
	for i := range PaidRounds {
		h.RoundIDs = append(h.RoundIDs, hex[(2+i)*size:(3+i)*size])
	}
	return h, nil
}

// Command writes the command.
func (e ExtendPaidCircuit) Command() Command {
	c := Command{Name: "EXTENDPAIDCIRCUIT", Args: "0", Block: e.SelfPaid}
	if !e.SelfPaid {
		c.Args += " " + strings.Join(e.Path(), ",")
		return c
	}
	for _, h := range e.Hops {
		c.Data += h.Fingerprint + " " + h.PaymentIDHash + h.Preimage + strings.Join(h.RoundIDs, "") + "\n"
	}
	return c
}

// clip shortens what a controller sent for an error text.
func clip(s string) string {
	if len(s) > 48 {
		return s[:48] + "..."
	}
	return s
}
