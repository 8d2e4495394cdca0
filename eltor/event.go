package eltor

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// EventName is what one subscribes to. The line itself has another name, which
// the fork gives it: see [ParseEvent].
const EventName = "PAYMENT_ID_HASH_RECEIVED"

const eventLine = "650 EVENT_" + EventName + " "

// Event is a relay's word that a circuit through it brought a payload.
type Event struct {
	Circuit uint32 // the id towards the client's side: of dialect B; 0 from dialect A
	Payload Payload
}

// maxEventLine is longer than any line that is one.
const maxEventLine = 1024

// ParseEvent reads one line, without its end, in either form:
//
//	650 EVENT_PAYMENT_ID_HASH_RECEIVED 0 <768 hex>
//	650 EVENT_PAYMENT_ID_HASH_RECEIVED P_CIRC_ID=4026444992 N_CIRC_ID=0 PAYMENT_HASH=<768 hex>
//
// The payload is a stranger's, and tor passes it on as it came: whatever is not
// exactly this is an error, which holds nothing of what it read.
func ParseEvent(line string) (e Event, err error) {
	if len(line) > maxEventLine {
		return e, errors.New("the line is too long")
	}
	rest, ok := strings.CutPrefix(line, eventLine)
	if !ok {
		return e, errors.New("no line of this event")
	}
	words := strings.Split(rest, " ")
	switch len(words) {
	case 2: // dialect A, which puts a number there that names no circuit
		if _, err := decimal(words[0], 64); err != nil {
			return e, err
		}
	case 3:
		id, err := keyed(words[0], "P_CIRC_ID", 32)
		if err != nil {
			return e, err
		}
		if _, err := keyed(words[1], "N_CIRC_ID", 32); err != nil {
			return e, err
		}
		if words[2], ok = strings.CutPrefix(words[2], "PAYMENT_HASH="); !ok {
			return e, errors.New("PAYMENT_HASH is missing")
		}
		if id == 0 {
			return e, errors.New("P_CIRC_ID is 0, which names no circuit")
		}
		e.Circuit = uint32(id)
	default:
		return e, fmt.Errorf("%d words", len(words))
	}
	e.Payload, err = ParsePayload(words[len(words)-1])
	return e, err
}

func keyed(word, key string, bits int) (uint64, error) {
	value, ok := strings.CutPrefix(word, key+"=")
	if !ok {
		return 0, fmt.Errorf("%s is missing", key)
	}
	return decimal(value, bits)
}

// decimal reads a number as tor writes it: digits, no leading zero.
func decimal(s string, bits int) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, bits)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return 0, errors.New("no number where one belongs")
	}
	return n, nil
}
