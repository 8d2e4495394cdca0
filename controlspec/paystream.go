package controlspec

import (
	"fmt"
	"strconv"
	"strings"
)

// Names of the events that TOPS adds, as SETEVENTS takes them.
const (
	EventPayStream = "PAYSTREAM"
	EventReceived  = "PAYMENT_ID_HASH_RECEIVED"
)

// PayStreamStatus is where a pay stream stands (tops-control-spec §4.1).
type PayStreamStatus string

// The states that a PAYSTREAM event names.
const (
	StatusTerms     PayStreamStatus = "TERMS"     // the relay's terms are known and accepted
	StatusIntent    PayStreamStatus = "INTENT"    // the intent was sent
	StatusFree      PayStreamStatus = "FREE"      // a free round began
	StatusDue       PayStreamStatus = "DUE"       // a priced round began
	StatusPaying    PayStreamStatus = "PAYING"    // a payment was begun
	StatusPaid      PayStreamStatus = "PAID"      // a payment was credited
	StatusHeld      PayStreamStatus = "HELD"      // a payment is neither settled nor failed
	StatusLate      PayStreamStatus = "LATE"      // due and its grace passed
	StatusRefused   PayStreamStatus = "REFUSED"   // the relay, or our policy, said no
	StatusCompleted PayStreamStatus = "COMPLETED" // all rounds paid and served
	StatusClosed    PayStreamStatus = "CLOSED"    // it is over
)

var statuses = map[PayStreamStatus]bool{
	StatusTerms: true, StatusIntent: true, StatusFree: true, StatusDue: true, StatusPaying: true, StatusPaid: true,
	StatusHeld: true, StatusLate: true, StatusRefused: true, StatusCompleted: true, StatusClosed: true,
}

// Valid reports whether s is one of the constants.
func (s PayStreamStatus) Valid() bool { return statuses[s] }

// PayStreamEvent is a PAYSTREAM event.
type PayStreamEvent struct {
	Handle   string // 16 hex digits, lower case
	Status   PayStreamStatus
	CircID   string // "0" on a relay; empty is written as "0"
	Hop      int    // 1 is the guard; 0 on a relay
	Relay    string // fingerprint, upper case, without '$'
	Round    int    // 0 before the first
	Rounds   int
	DueMsat  int64
	PaidMsat int64 // credited so far
	FeeMsat  int64 // routing fees so far
	Reason   string
}

// Marshal writes the event's text, what follows "650 ".
func (e PayStreamEvent) Marshal() string {
	circ := e.CircID
	if circ == "" {
		circ = "0"
	}
	s := fmt.Sprintf("%s %s %s CIRC=%s HOP=%d RELAY=$%s ROUND=%d/%d DUE_MSAT=%d PAID_MSAT=%d FEE_MSAT=%d",
		EventPayStream, e.Handle, e.Status, circ, e.Hop, e.Relay, e.Round, e.Rounds, e.DueMsat, e.PaidMsat, e.FeeMsat)
	if e.Reason != "" {
		s += " " + Arg{Key: "REASON", HasKey: true, Value: e.Reason}.String()
	}
	return s
}

// ParsePayStream reads what Marshal wrote. Keywords that it does not know are
// skipped, so that later versions may add some.
func ParsePayStream(text string) (PayStreamEvent, error) {
	ev, err := parseNamed(text, EventPayStream, 2)
	if err != nil {
		return PayStreamEvent{}, err
	}
	k := ev.Keywords
	e := PayStreamEvent{
		Handle: ev.Words[0], Status: PayStreamStatus(ev.Words[1]), CircID: k["CIRC"],
		Relay: strings.TrimPrefix(k["RELAY"], "$"), Reason: k["REASON"],
	}
	if !isHex(e.Handle, 16, false) {
		return e, fmt.Errorf("PAYSTREAM event: malformed handle %q", e.Handle)
	}
	if !e.Status.Valid() {
		return e, fmt.Errorf("PAYSTREAM event: unknown status %q", ev.Words[1])
	}
	if _, err := strconv.ParseUint(e.CircID, 10, 32); err != nil {
		return e, fmt.Errorf("PAYSTREAM event: malformed CIRC %q", e.CircID)
	}
	if !isHex(e.Relay, 40, true) {
		return e, fmt.Errorf("PAYSTREAM event: malformed RELAY %q", k["RELAY"])
	}
	round, rounds, _ := strings.Cut(k["ROUND"], "/")
	for _, n := range []struct {
		key, val string
		to       any
	}{
		{"HOP", k["HOP"], &e.Hop}, {"ROUND", round, &e.Round}, {"ROUND", rounds, &e.Rounds},
		{"DUE_MSAT", k["DUE_MSAT"], &e.DueMsat}, {"PAID_MSAT", k["PAID_MSAT"], &e.PaidMsat}, {"FEE_MSAT", k["FEE_MSAT"], &e.FeeMsat},
	} {
		v, err := strconv.ParseInt(n.val, 10, 64)
		if err != nil || v < 0 {
			return e, fmt.Errorf("PAYSTREAM event: malformed %s", n.key)
		}
		switch to := n.to.(type) {
		case *int:
			if *to = int(v); v > 1<<16 {
				return e, fmt.Errorf("PAYSTREAM event: %s out of range", n.key)
			}
		case *int64:
			*to = v
		}
	}
	return e, nil
}

// ReceivedEvent is a PAYMENT_ID_HASH_RECEIVED event: a relay accepted an
// intent. The hash itself is a bearer secret and is never in it.
type ReceivedEvent struct {
	Handle string // 16 hex digits, lower case
	Rounds int
}

// Marshal writes the event's text, what follows "650 ".
func (e ReceivedEvent) Marshal() string {
	return fmt.Sprintf("%s HANDLE=%s ROUNDS=%d", EventReceived, e.Handle, e.Rounds)
}

// ParseReceived reads what Marshal wrote.
func ParseReceived(text string) (ReceivedEvent, error) {
	ev, err := parseNamed(text, EventReceived, 0)
	if err != nil {
		return ReceivedEvent{}, err
	}
	e := ReceivedEvent{Handle: ev.Keywords["HANDLE"]}
	if !isHex(e.Handle, 16, false) {
		return e, fmt.Errorf("%s event: malformed HANDLE %q", EventReceived, e.Handle)
	}
	n, err := strconv.ParseUint(ev.Keywords["ROUNDS"], 10, 16)
	if err != nil {
		return e, fmt.Errorf("%s event: malformed ROUNDS", EventReceived)
	}
	e.Rounds = int(n)
	return e, nil
}

// isHex reports whether s is n hex digits, all in the one case.
func isHex(s string, n int, upper bool) bool {
	if len(s) != n {
		return false
	}
	a := byte('a')
	if upper {
		a = 'A'
	}
	for i := range len(s) {
		if c := s[i]; !digit(c) && (c < a || c > a+5) {
			return false
		}
	}
	return true
}
