package eltorsim

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/el-tor/tops/controlspec"
)

// Tor is one double.
type Tor struct {
	Name        string
	Fingerprint string // of a relay, 40 hex digits in upper case
	Address     string // of its control port: a unix socket

	world   *World
	dialect rune
	ln      net.Listener
	ip      string
	done    sync.WaitGroup

	// Guarded by world.mu.
	lines    []string // Payment… of its descriptor
	flags    string
	noDesc   bool
	unknown  bool
	conf     map[string][]string // by lower-case key
	conns    map[*conn]bool
	circuits []*circuit // that it began
	hops     []*hop     // through it, oldest first
	last     int
	heard    []string // every command, redacted by nobody
	died     string
	closed   bool
	doubled  bool
	muted    bool
	stalled  bool
}

// conn is one controller's connection.
type conn struct {
	net.Conn
	events map[string]bool
}

// Died says of what it died; empty while it lives.
func (t *Tor) Died() string {
	t.world.mu.Lock()
	defer t.world.mu.Unlock()
	return t.died
}

// Heard lists the commands that reached it.
func (t *Tor) Heard() []string {
	t.world.mu.Lock()
	defer t.world.mu.Unlock()
	return slices.Clone(t.heard)
}

// SetLines changes what its descriptor asks.
func (t *Tor) SetLines(lines ...string) {
	t.world.mu.Lock()
	defer t.world.mu.Unlock()
	t.lines = lines
}

// Hide takes a relay from the consensus, or only its descriptors.
func (t *Tor) Hide(consensus, descriptors bool) {
	t.world.mu.Lock()
	defer t.world.mu.Unlock()
	t.unknown, t.noDesc = consensus, descriptors
}

// Double makes a relay tell each event twice.
func (t *Tor) Double(on bool) {
	t.world.mu.Lock()
	defer t.world.mu.Unlock()
	t.doubled = on
}

// Mute makes a client answer no EXTENDPAIDCIRCUIT, though it obeys: its controller
// never hears that it did.
func (t *Tor) Mute(on bool) {
	t.world.mu.Lock()
	defer t.world.mu.Unlock()
	t.muted = on
}

// Stall makes circuits wait that are to be extended to the relay, until it is let go on.
func (t *Tor) Stall(on bool) {
	t.world.mu.Lock()
	defer t.world.mu.Unlock()
	if t.stalled = on; on {
		return
	}
	for _, client := range t.world.all {
		for _, c := range client.circuits {
			c.goOnLocked()
		}
	}
}

// Say writes raw bytes to whoever is subscribed to payloads, as a payload with
// line ends in it makes the fork do.
func (t *Tor) Say(raw string) {
	t.world.mu.Lock()
	defer t.world.mu.Unlock()
	for c := range t.conns {
		if c.events["PAYMENT_ID_HASH_RECEIVED"] {
			_, _ = io.WriteString(c, raw)
		}
	}
}

// Circuits is how many circuits go through the relay.
func (t *Tor) Circuits() int {
	t.world.mu.Lock()
	defer t.world.mu.Unlock()
	return len(t.hops)
}

// Building is how many circuits a client has begun that are not built yet.
func (t *Tor) Building() (n int) {
	t.world.mu.Lock()
	defer t.world.mu.Unlock()
	for _, c := range t.circuits {
		if !c.built && !c.closed {
			n++
		}
	}
	return n
}

// Share gives all circuits through the relay one id, as if their channels had
// chosen the same.
func (t *Tor) Share() {
	t.world.mu.Lock()
	defer t.world.mu.Unlock()
	for _, h := range t.hops {
		h.prev = t.hops[0].prev
	}
}

// Listeners is how many controllers are subscribed to payloads.
func (t *Tor) Listeners() (n int) {
	t.world.mu.Lock()
	defer t.world.mu.Unlock()
	for c := range t.conns {
		if c.events["PAYMENT_ID_HASH_RECEIVED"] {
			n++
		}
	}
	return n
}

// Close ends it.
func (t *Tor) Close() {
	t.world.mu.Lock()
	t.closeLocked()
	t.world.mu.Unlock()
	t.done.Wait()
}

func (t *Tor) closeLocked() {
	t.closed = true
	t.ln.Close()
	for c := range t.conns {
		c.Close()
	}
}

// dieLocked is the SIGSEGV.
func (t *Tor) dieLocked(why string) {
	if t.died == "" {
		t.died = why
	}
	t.closeLocked()
}

// dieSoon is the one that comes within a second of the answer.
func (t *Tor) dieSoon(why string) {
	t.died = why
	t.done.Go(func() {
		time.Sleep(5 * time.Millisecond) // long enough for the answer, short enough for a test
		t.world.mu.Lock()
		defer t.world.mu.Unlock()
		t.dieLocked(why)
	})
}

func (t *Tor) serve() {
	for {
		sock, err := t.ln.Accept()
		if err != nil {
			return
		}
		c := &conn{Conn: sock}
		t.world.mu.Lock()
		if t.closed {
			t.world.mu.Unlock()
			sock.Close()
			return
		}
		t.conns[c] = true
		t.world.mu.Unlock()
		t.done.Go(func() { t.talk(c) })
	}
}

func (t *Tor) talk(c *conn) {
	defer func() {
		t.world.mu.Lock()
		delete(t.conns, c)
		t.world.mu.Unlock()
		c.Close()
	}()
	r := controlspec.NewCommandReader(c)
	for {
		cmd, err := r.ReadCommand()
		if err != nil {
			return
		}
		t.world.mu.Lock()
		if t.closed {
			t.world.mu.Unlock()
			return
		}
		t.heard = append(t.heard, string(cmd.Append(nil)))
		answer := t.obeyLocked(c, cmd)
		if answer != "" && !(t.muted && cmd.Name == "EXTENDPAIDCIRCUIT") {
			_, _ = io.WriteString(c, answer)
		}
		t.afterLocked(cmd)
		t.world.mu.Unlock()
		if cmd.Name == "QUIT" {
			return
		}
	}
}

// tellLocked writes an event to whoever wants it.
func (t *Tor) tellLocked(event, text string) {
	for c := range t.conns {
		if c.events[event] {
			_, _ = io.WriteString(c, text+"\r\n")
		}
	}
}

// obeyLocked answers a command.
func (t *Tor) obeyLocked(c *conn, cmd controlspec.Command) string {
	words := strings.Fields(cmd.Args)
	switch cmd.Name {
	case "PROTOCOLINFO":
		return "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n250-VERSION Tor=\"0.4.9.0-alpha-dev\"\r\n250 OK\r\n"
	case "AUTHENTICATE", "TAKEOWNERSHIP", "QUIT":
		return "250 OK\r\n"
	case "SETEVENTS":
		c.events = make(map[string]bool)
		for _, w := range words {
			c.events[w] = true
		}
		return "250 OK\r\n"
	case "GETINFO":
		return t.info(words)
	case "GETCONF":
		return t.getConf(words)
	case "SETCONF", "RESETCONF":
		return t.setConf(cmd.Args)
	case "EXTENDPAIDCIRCUIT":
		return t.extendPaid(cmd)
	case "CLOSECIRCUIT":
		if len(words) > 0 {
			for _, circ := range t.circuits {
				if fmt.Sprint(circ.id) == words[0] && !circ.closed {
					circ.closeLocked(0)
					return "250 OK\r\n"
				}
			}
		}
		return "552 Unknown circuit\r\n"
	case "TEARDOWNCIRCUIT":
		if t.dialect == B {
			return t.teardown(words)
		}
	case "LOGALLCIRCUITS":
		if t.dialect == B {
			return t.listing()
		}
	}
	return fmt.Sprintf("510 Unrecognized command \"%s\"\r\n", cmd.Name)
}

// Lines are what its descriptor asks.
func (t *Tor) Lines() []string {
	t.world.mu.Lock()
	defer t.world.mu.Unlock()
	return slices.Clone(t.lines)
}
