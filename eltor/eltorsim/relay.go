package eltorsim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func (t *Tor) dropLocked(h *hop) {
	t.hops = slices.DeleteFunc(t.hops, func(x *hop) bool { return x == h })
}

// teardown is TEARDOWNCIRCUIT of dialect B. It takes the first circuit with the id,
// on whichever side; 0 is the id of the side that many a circuit does not have.
func (t *Tor) teardown(words []string) string {
	if len(words) == 0 {
		return "512 Missing argument to TEARDOWNCIRCUIT\r\n"
	}
	if strings.EqualFold(words[0], "ALL") {
		n := len(t.hops)
		for len(t.hops) > 0 {
			t.endLocked(t.hops[0])
		}
		return fmt.Sprintf("250 OK SPEC-COMPLIANT DOOMSDAY: DESTROY cells sent for %d circuits\r\n", n)
	}
	id, err := strconv.ParseUint(words[0], 10, 32)
	if err == nil {
		for _, h := range t.hops {
			if h.prev == uint32(id) || h.next == uint32(id) {
				t.endLocked(h)
				return fmt.Sprintf("250 OK SPEC-COMPLIANT TEARDOWN: DESTROY cells sent for circuit %s\r\n", words[0])
			}
		}
	}
	return fmt.Sprintf("552 Unknown circuit \"%s\"\r\n", words[0])
}

func (t *Tor) endLocked(h *hop) {
	h.of.closeLocked(1 + slices.Index(h.of.hops, h))
	t.dropLocked(h) // of a circuit that was closed before it was built
}

// listing is LOGALLCIRCUITS of dialect B.
func (t *Tor) listing() string {
	var b strings.Builder
	fmt.Fprintf(&b, "250-LOGALLCIRCUITS: Starting circuit enumeration for relay %s\r\n", t.Name)
	for i, h := range t.hops {
		fmt.Fprintf(&b, "250-OR_CIRCUIT Nickname=%s N_CircuitID=%d P_CircuitID=%d State=OPEN Purpose=OR MarkedForClose=false GlobalListIdx=%d P_ChanID=1 N_ChanID=2 PaymentHash=none\r\n",
			t.Name, h.next, h.prev, i)
	}
	for i, c := range t.circuits {
		if !c.closed {
			fmt.Fprintf(&b, "250-ORIGIN_CIRCUIT Nickname=%s N_CircuitID=%d State=OPEN Purpose=C_GENERAL MarkedForClose=false GlobalListIdx=%d N_ChanID=1 GlobalIdentifier=%d\r\n",
				t.Name, newID(), i, c.id)
		}
	}
	fmt.Fprintf(&b, "250 LOGALLCIRCUITS: Enumerated %d circuits for relay %s\r\n", len(t.hops)+len(t.circuits), t.Name)
	return b.String()
}
