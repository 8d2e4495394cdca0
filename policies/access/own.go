package access

import (
	"net/netip"
	"strings"
	"sync"

	"github.com/el-tor/tops/controlspec"
)

// ownCommands are the commands that name circuits, streams or onion services.
var ownCommands = map[string]bool{
	"GETINFO": true, "EXTENDCIRCUIT": true, "CLOSECIRCUIT": true, "SETCIRCUITPURPOSE": true,
	"ATTACHSTREAM": true, "CLOSESTREAM": true, "REDIRECTSTREAM": true, "DEL_ONION": true,
}

// ownEvents are the events that do.
var ownEvents = map[string]bool{"CIRC": true, "CIRC_MINOR": true, "CIRC_BW": true, "STREAM": true, "STREAM_BW": true}

// maxOwned bounds what is remembered of one controller. Circuits that are
// closed are found out before a new one is refused.
const maxOwned = 4096

// ownership is which circuits, streams and onion services are one controller's.
type ownership struct {
	id Identity

	mu       sync.Mutex
	circuits map[string]bool   // guarded by mu: that it made
	streams  map[string]string // guarded by mu: that came from it, and their circuits
	onions   map[string]bool   // guarded by mu
}

func (o *ownership) made(circ string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.circuits == nil {
		o.circuits = make(map[string]bool)
	}
	if len(o.circuits) < maxOwned {
		o.circuits[circ] = true
	}
}

func (o *ownership) closed(circ string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.circuits, circ)
}

// sees reports whether a circuit is the controller's, or carries one of its
// streams.
func (o *ownership) sees(circ string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.circuits[circ] || o.carriesLocked(circ)
}

// uses reports whether a circuit carries one of the controller's streams.
func (o *ownership) uses(circ string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.carriesLocked(circ)
}

func (o *ownership) carriesLocked(circ string) bool {
	for _, c := range o.streams {
		if c == circ {
			return true
		}
	}
	return false
}

func (o *ownership) seesStream(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.streams[id]
	return ok
}

// mayName says why a controller may not name what cmd names; empty: it may.
func (o *ownership) mayName(cmd command) string {
	w := cmd.words()
	arg := func(i int) string {
		if i < len(w) {
			if id, ok := torID(w[i]); ok {
				return id
			}
		}
		return ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	_, stream := o.streams[arg(0)]
	switch cmd.name {
	case "EXTENDCIRCUIT":
		if arg(0) != "0" && !o.circuits[arg(0)] {
			return "the circuit is not this controller's"
		}
	case "CLOSECIRCUIT", "SETCIRCUITPURPOSE":
		if !o.circuits[arg(0)] {
			return "the circuit is not this controller's"
		}
	case "ATTACHSTREAM":
		if !stream {
			return "the stream is not this controller's"
		}
		if arg(1) != "0" && !o.circuits[arg(1)] {
			return "the circuit is not this controller's"
		}
	case "CLOSESTREAM", "REDIRECTSTREAM":
		if !stream {
			return "the stream is not this controller's"
		}
	case "DEL_ONION":
		if len(w) != 1 || !o.onions[strings.TrimSuffix(w[0], ".onion")] {
			return "the onion service is not this controller's"
		}
	}
	return ""
}

// stream follows a STREAM event and reports whether it is of the controller's
// streams. Where a stream comes from is told once, when it is new.
func (o *ownership) stream(text string) bool {
	ev, err := controlspec.ParseStream(text)
	if err != nil {
		return false
	}
	isNew := (ev.Status == "NEW" || ev.Status == "NEWRESOLVE") && o.isSource(ev.SourceAddr)
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ours := o.streams[ev.ID]
	if isNew && len(o.streams) < maxOwned {
		if o.streams == nil {
			o.streams = make(map[string]string)
		}
		ours = true
	}
	if !ours {
		return false
	}
	if ev.Status == "CLOSED" || ev.Status == "FAILED" {
		delete(o.streams, ev.ID)
	} else {
		o.streams[ev.ID] = ev.CircID
	}
	return true
}

// isSource reports whether a stream comes from the controller: on another
// machine by its address, on this one by the user who owns the socket.
func (o *ownership) isSource(addr string) bool {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return false
	}
	if !o.id.Local {
		return ap.Addr().Unmap() == o.id.Addr.Addr().Unmap()
	}
	s, err := socketOf(ap, netip.AddrPort{})
	return err == nil && s.uid == o.id.UID
}
