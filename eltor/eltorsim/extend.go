package eltorsim

import (
	"fmt"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// extendPaid is EXTENDPAIDCIRCUIT as the fork has it.
func (t *Tor) extendPaid(cmd controlspec.Command) string {
	words := strings.Fields(cmd.Args)
	switch {
	case !cmd.Block:
		t.dieLocked("EXTENDPAIDCIRCUIT without a data block")
		return ""
	case len(words) != 1:
		return "512 Wrong number of arguments to EXTENDPAIDCIRCUIT\r\n"
	case words[0] != "0":
		t.dieLocked("EXTENDPAIDCIRCUIT with the circuit id " + words[0])
		return ""
	}
	circ := &circuit{client: t}
	for line := range strings.Lines(cmd.Data) {
		tokens := strings.Fields(line)
		if len(tokens) != 2 || len(tokens[1]) < 128 {
			continue // dropped without a word
		}
		relay := t.world.relayLocked(tokens[0])
		if relay == nil {
			t.dieSoon("EXTENDPAIDCIRCUIT through an unknown relay")
			return fmt.Sprintf("552 No such router \"%s\"\r\n", tokens[0])
		}
		if relay.noDesc {
			t.dieSoon("EXTENDPAIDCIRCUIT through a relay without a descriptor")
			return fmt.Sprintf("552 No descriptor for \"%s\"\r\n", tokens[0])
		}
		circ.ahead = append(circ.ahead, &hop{relay: relay, of: circ, payload: tokens[1]})
	}
	if len(circ.ahead) == 0 {
		t.dieSoon("EXTENDPAIDCIRCUIT without a valid line")
		return "512 No valid nodes provided\r\n"
	}
	t.last++
	circ.id = t.last
	t.circuits = append(t.circuits, circ)
	return fmt.Sprintf("250 EXTENDED %d\r\n", circ.id)
}

// afterLocked goes on with what a command began, behind its answer.
func (t *Tor) afterLocked(cmd controlspec.Command) {
	if cmd.Name != "EXTENDPAIDCIRCUIT" || len(t.circuits) == 0 {
		return
	}
	circ := t.circuits[len(t.circuits)-1]
	if circ.built || circ.closed {
		return
	}
	circ.sayLocked("LAUNCHED", "")
	circ.goOnLocked()
}

// goOnLocked extends a circuit until it is built, or as far as it comes.
func (c *circuit) goOnLocked() {
	for len(c.ahead) > 0 && !c.closed {
		h, n := c.ahead[0], len(c.ahead[0].payload)
		first := len(c.hops) == 0
		if first && n != 768 || n > 922 || first && len(c.ahead) < 2 || h.relay.closed {
			c.closed = true
			c.sayLocked("FAILED", "REASON=TORPROTOCOL")
			return
		}
		if h.relay.stalled {
			return
		}
		h.prev = newID()
		if !first {
			c.hops[len(c.hops)-1].next = h.prev
		}
		h.relay.hops = append(h.relay.hops, h)
		h.relay.receivedLocked(h)
		c.hops, c.ahead = append(c.hops, h), c.ahead[1:]
		c.sayLocked("EXTENDED", "")
	}
	if !c.closed && !c.built {
		c.built = true
		c.sayLocked("BUILT", "")
	}
}

// receivedLocked tells of a payload, as it came.
func (t *Tor) receivedLocked(h *hop) {
	text := "650 EVENT_PAYMENT_ID_HASH_RECEIVED 0 " + h.payload
	if t.dialect == B {
		text = fmt.Sprintf("650 EVENT_PAYMENT_ID_HASH_RECEIVED P_CIRC_ID=%d N_CIRC_ID=0 PAYMENT_HASH=%s", h.prev, h.payload)
	}
	t.tellLocked("PAYMENT_ID_HASH_RECEIVED", text)
	if t.doubled {
		t.tellLocked("PAYMENT_ID_HASH_RECEIVED", text)
	}
}
