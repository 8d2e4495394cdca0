package eltorsim

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// The dialects, by what eltord calls neither.
const (
	A = 'A'
	B = 'B'
)

// World is a network of doubles.
type World struct {
	dir string

	mu     sync.Mutex // guards everything in the world
	relays []*Tor
	all    []*Tor
}

// NewWorld makes an empty one whose control sockets are in a folder of its own.
func NewWorld() (*World, error) {
	dir, err := os.MkdirTemp("", "eltorsim")
	return &World{dir: dir}, err
}

// Close ends every tor.
func (w *World) Close() error {
	w.mu.Lock()
	all := w.all
	w.mu.Unlock()
	for _, t := range all {
		t.Close()
	}
	return os.RemoveAll(w.dir)
}

// AddRelay adds a relay whose descriptor has these lines.
func (w *World) AddRelay(name string, dialect rune, lines ...string) (*Tor, error) {
	sum := sha1.Sum([]byte(name))
	return w.add(&Tor{
		world: w, dialect: dialect, Name: name, Fingerprint: strings.ToUpper(hex.EncodeToString(sum[:])),
		lines: lines, flags: "Exit Fast Guard Running Stable V2Dir Valid",
	})
}

// AddClient adds a tor that is no relay.
func (w *World) AddClient(dialect rune) (*Tor, error) {
	return w.add(&Tor{world: w, dialect: dialect, Name: "client"})
}

func (w *World) add(t *Tor) (*Tor, error) {
	w.mu.Lock()
	n := len(w.all)
	w.mu.Unlock()
	t.Address = filepath.Join(w.dir, fmt.Sprintf("%d", n))
	t.ip = fmt.Sprintf("198.18.0.%d", n+1)
	t.conf = make(map[string][]string)
	t.conns = make(map[*conn]bool)
	ln, err := net.Listen("unix", t.Address)
	if err != nil {
		return nil, err
	}
	t.ln = ln
	w.mu.Lock()
	w.all = append(w.all, t)
	if t.Fingerprint != "" {
		w.relays = append(w.relays, t)
	}
	w.mu.Unlock()
	t.done.Go(t.serve)
	return t, nil
}

// relayLocked finds a relay by its fingerprint.
func (w *World) relayLocked(fingerprint string) *Tor {
	for _, r := range w.relays {
		if strings.EqualFold(r.Fingerprint, fingerprint) && !r.unknown {
			return r
		}
	}
	return nil
}

// circuit is one circuit, as its client sees it.
type circuit struct {
	id     int
	client *Tor
	hops   []*hop // that it has reached
	ahead  []*hop // that it has not
	built  bool
	closed bool
}

// hop is one relay's part of a circuit.
type hop struct {
	relay      *Tor
	of         *circuit
	prev, next uint32
	payload    string
}

// closeLocked ends a circuit; by says which hop did, 0 for the client.
func (c *circuit) closeLocked(by int) {
	if c.closed {
		return
	}
	c.closed = true
	for _, h := range c.hops {
		h.relay.dropLocked(h)
	}
	switch by {
	case 0:
		c.sayLocked("CLOSED", "REASON=REQUESTED")
	case 1:
		c.sayLocked("CLOSED", "REASON=DESTROYED REMOTE_REASON=REQUESTED")
	default:
		c.sayLocked("CLOSED", "REASON=DESTROYED REMOTE_REASON=DESTROYED")
	}
}

// status is the circuit's line in a CIRC event or in circuit-status.
func (c *circuit) status(word, more string) string {
	var path []string
	for _, h := range c.hops {
		path = append(path, "$"+h.relay.Fingerprint+"~"+h.relay.Name)
	}
	text := fmt.Sprintf("%d %s", c.id, word)
	if len(path) > 0 {
		text += " " + strings.Join(path, ",")
	}
	text += " BUILD_FLAGS=NEED_CAPACITY PURPOSE=GENERAL"
	if more != "" {
		text += " " + more
	}
	return text
}

func (c *circuit) sayLocked(word, more string) {
	c.client.tellLocked("CIRC", "650 CIRC "+c.status(word, more))
}

// newID is a circuit's id on a channel.
func newID() uint32 { return rand.Uint32() | 1<<31 }
