package controlspec

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Event is any event in one line: its name, the words behind it and the
// keywords. Which words there are is the event's own affair (control-spec §4.1).
type Event struct {
	Name     string
	Words    []string
	Keywords map[string]string // values unquoted
}

// ParseEvent reads the text of an event, what follows "650 ".
func ParseEvent(text string) (Event, error) {
	f, err := parseFields(text)
	if err != nil {
		return Event{}, fmt.Errorf("event: %w", err)
	}
	if len(f.words) == 0 {
		return Event{}, errors.New("event without a name")
	}
	return Event{Name: strings.ToUpper(f.words[0]), Words: f.words[1:], Keywords: f.kw}, nil
}

func parseNamed(text, name string, words int) (Event, error) {
	ev, err := ParseEvent(text)
	if err != nil {
		return ev, err
	}
	if ev.Name != name {
		return ev, fmt.Errorf("event %q is not %s", ev.Name, name)
	}
	if len(ev.Words) < words {
		return ev, fmt.Errorf("%s event with %d words, %d expected", name, len(ev.Words), words)
	}
	return ev, nil
}

// StreamEvent is a STREAM event (control-spec §4.1.2).
type StreamEvent struct {
	ID     string
	Status string // NEW, NEWRESOLVE, SENTCONNECT, SUCCEEDED, CONTROLLER_WAIT, DETACHED, FAILED, CLOSED, …
	CircID string // "0": none
	Target string // host:port

	Reason       string
	RemoteReason string
	Purpose      string // on NEW and NEWRESOLVE alone
	SourceAddr   string // on NEW and NEWRESOLVE alone
	Username     string // SOCKS_USERNAME
	Password     string // SOCKS_PASSWORD; a secret
	Keywords     map[string]string
}

// ParseStream reads the text of a STREAM event. tor writes the name that an
// application asked for as it is, blanks and quotes too: what stands behind it is
// left out if it cannot be read.
func ParseStream(text string) (StreamEvent, error) {
	w := strings.SplitN(text, " ", 6)
	if len(w) < 5 || w[0] != "STREAM" {
		return StreamEvent{}, fmt.Errorf("STREAM event of %d words", len(w))
	}
	var k map[string]string
	if len(w) > 5 {
		if f, err := parseFields(w[5]); err == nil {
			k = f.kw
		}
	}
	return StreamEvent{
		ID: w[1], Status: w[2], CircID: w[3], Target: w[4],
		Reason: k["REASON"], RemoteReason: k["REMOTE_REASON"], Purpose: k["PURPOSE"], SourceAddr: k["SOURCE_ADDR"],
		Username: k["SOCKS_USERNAME"], Password: k["SOCKS_PASSWORD"], Keywords: k,
	}, nil
}

// HostPort splits the target. Tor writes IPv6 addresses with and without
// brackets; the host comes without.
func (e StreamEvent) HostPort() (host string, port uint16, err error) {
	i := strings.LastIndexByte(e.Target, ':')
	if i < 0 {
		return "", 0, fmt.Errorf("stream target %q has no port", e.Target)
	}
	n, err := strconv.ParseUint(e.Target[i+1:], 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("stream target %q has no valid port", e.Target)
	}
	host = strings.TrimSuffix(strings.TrimPrefix(e.Target[:i], "["), "]")
	return host, uint16(n), nil
}

// Source is SOURCE_ADDR as an address; nil if there is none.
func (e StreamEvent) Source() *net.TCPAddr {
	host, port, err := StreamEvent{Target: e.SourceAddr}.HostPort()
	ip := net.ParseIP(host)
	if err != nil || ip == nil {
		return nil
	}
	return &net.TCPAddr{IP: ip, Port: int(port)}
}

// CircEvent is a CIRC event (control-spec §4.1.1).
type CircEvent struct {
	ID     string
	Status string   // LAUNCHED, BUILT, GUARD_WAIT, EXTENDED, FAILED, CLOSED
	Path   []string // fingerprints in upper case, without '$' and name

	Purpose      string
	Reason       string
	RemoteReason string
	BuildFlags   []string
	Keywords     map[string]string
}

// ParseCirc reads the text of a CIRC event.
func ParseCirc(text string) (CircEvent, error) {
	ev, err := parseNamed(text, "CIRC", 2)
	if err != nil {
		return CircEvent{}, err
	}
	return circFrom(ev.Words, ev.Keywords), nil
}

// ParseCircStatus reads one line of GETINFO circuit-status, which is a CIRC
// event without its name.
func ParseCircStatus(line string) (CircEvent, error) { return ParseCirc("CIRC " + line) }

// ParseStreamStatus reads one line of GETINFO stream-status.
func ParseStreamStatus(line string) (StreamEvent, error) { return ParseStream("STREAM " + line) }

func circFrom(w []string, k map[string]string) CircEvent {
	c := CircEvent{
		ID: w[0], Status: w[1], Purpose: k["PURPOSE"],
		Reason: k["REASON"], RemoteReason: k["REMOTE_REASON"], Keywords: k,
	}
	if k["BUILD_FLAGS"] != "" {
		c.BuildFlags = strings.Split(k["BUILD_FLAGS"], ",")
	}
	if len(w) > 2 && w[2] != "" {
		for hop := range strings.SplitSeq(w[2], ",") {
			c.Path = append(c.Path, hopFingerprint(hop))
		}
	}
	return c
}

// hopFingerprint takes FP out of $FP, $FP~name and $FP=name; a bare name stays.
func hopFingerprint(hop string) string {
	if fp, ok := strings.CutPrefix(hop, "$"); ok {
		if i := strings.IndexAny(fp, "~="); i >= 0 {
			fp = fp[:i]
		}
		return strings.ToUpper(fp)
	}
	return hop
}

// CircBWEvent is a CIRC_BW event (control-spec §4.1.22): what a circuit moved
// since the last one, about a second before.
type CircBWEvent struct {
	ID               string
	Read             int64 // bytes, cells' overhead included
	Written          int64
	DeliveredRead    int64 // bytes of streams' data; exact
	DeliveredWritten int64
	OverheadRead     int64
	OverheadWritten  int64
}

// ParseCircBW reads the text of a CIRC_BW event.
func ParseCircBW(text string) (CircBWEvent, error) {
	ev, err := parseNamed(text, "CIRC_BW", 0)
	if err != nil {
		return CircBWEvent{}, err
	}
	e := CircBWEvent{ID: ev.Keywords["ID"]}
	if e.ID == "" {
		return CircBWEvent{}, errors.New("CIRC_BW event without ID")
	}
	for key, p := range map[string]*int64{
		"READ": &e.Read, "WRITTEN": &e.Written,
		"DELIVERED_READ": &e.DeliveredRead, "DELIVERED_WRITTEN": &e.DeliveredWritten,
		"OVERHEAD_READ": &e.OverheadRead, "OVERHEAD_WRITTEN": &e.OverheadWritten,
	} {
		v, ok := ev.Keywords[key]
		if !ok {
			continue
		}
		if *p, err = strconv.ParseInt(v, 10, 64); err != nil || *p < 0 {
			return CircBWEvent{}, fmt.Errorf("CIRC_BW event: %s is no count", key)
		}
	}
	return e, nil
}

// ParseSignal reads the text of a SIGNAL event (control-spec §4.1.16) and
// returns the signal: RELOAD, DUMP, DEBUG, NEWNYM, CLEARDNSCACHE, …
func ParseSignal(text string) (string, error) {
	ev, err := parseNamed(text, "SIGNAL", 1)
	if err != nil {
		return "", err
	}
	return strings.ToUpper(ev.Words[0]), nil
}

// ConfChange is one option that a CONF_CHANGED event names.
type ConfChange struct {
	Key   string
	Value string
	Set   bool // false: back to its default
}

// ParseConfChanged reads a CONF_CHANGED event (control-spec §4.1.18), which has
// several lines: 650-CONF_CHANGED, 650-Key=Value or 650-Key, 650 OK.
func ParseConfChanged(r Reply) ([]ConfChange, error) {
	if !r.Async() || len(r.Lines) < 2 || strings.TrimSpace(r.Lines[0].Text) != "CONF_CHANGED" {
		return nil, errors.New("not a CONF_CHANGED event")
	}
	var changes []ConfChange
	for _, l := range r.Lines[1 : len(r.Lines)-1] {
		var c ConfChange
		c.Key, c.Value, c.Set = strings.Cut(l.Text, "=")
		if strings.HasPrefix(c.Value, `"`) {
			v, rest, err := Unquote(c.Value)
			if err == nil && rest == "" {
				c.Value = v
			}
		}
		changes = append(changes, c)
	}
	return changes, nil
}
