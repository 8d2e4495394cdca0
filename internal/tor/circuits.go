package tor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/el-tor/tops/controlspec"
)

// maxEarly is how many events of circuits that may turn out to be ours are
// kept while an EXTENDCIRCUIT is under way.
const maxEarly = 4096

// Circuits builds and follows circuits. It is a [Handler].
type Circuits struct {
	link

	mu        sync.Mutex // guards what follows
	circuits  map[string]*Circuit
	extending int // EXTENDCIRCUITs whose id is not known yet
	early     []controlspec.CircEvent
}

// NewCircuits returns a handler that follows no circuit yet.
func NewCircuits() *Circuits { return &Circuits{circuits: make(map[string]*Circuit)} }

// Extend begins a circuit through the relays named by their fingerprints, in
// 40 hex digits, and returns when tor has given it an id. When ctx ends meanwhile
// it is closed: a circuit that nobody knows of would stay until tor gives it up.
func (cs *Circuits) Extend(ctx context.Context, path []string) (*Circuit, error) {
	for _, hop := range path {
		if !isFingerprint(hop) {
			return nil, fmt.Errorf("%q is not a relay's fingerprint", hop)
		}
	}
	if len(path) == 0 {
		return nil, errors.New("a circuit needs a path")
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return cs.begin(ctx, func(ctx context.Context) (controlspec.Reply, error) {
		return cs.Do(ctx, "EXTENDCIRCUIT 0 "+strings.Join(path, ","))
	})
}

// begin has a circuit begun, and closes it when ctx ends meanwhile.
func (cs *Circuits) begin(ctx context.Context, ask func(context.Context) (controlspec.Reply, error)) (*Circuit, error) {
	cs.mu.Lock()
	cs.extending++
	cs.mu.Unlock()
	c, err := cs.extend(context.WithoutCancel(ctx), ask)
	if err == nil && ctx.Err() != nil {
		return nil, errors.Join(context.Cause(ctx), c.abandon(ctx))
	}
	return c, err
}

// extend sends the command, waits for its answer and follows the circuit.
func (cs *Circuits) extend(ctx context.Context, ask func(context.Context) (controlspec.Reply, error)) (*Circuit, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, handleTimeout, errors.New("tor does not answer"))
	defer cancel()
	reply, err := ask(ctx)

	cs.mu.Lock()
	defer cs.mu.Unlock()
	defer cs.settleLocked()
	if err != nil {
		return nil, err
	}
	id, ok := strings.CutPrefix(reply.Lines[0].Text, "EXTENDED ")
	if !ok {
		return nil, errors.New("no circuit id in tor's reply")
	}
	c := cs.followLocked(id)
	for _, event := range cs.early {
		c.update(event)
	}
	if c.Err() != nil {
		delete(cs.circuits, id)
	}
	return c, nil
}

// settleLocked forgets the early events when nobody can want them.
func (cs *Circuits) settleLocked() {
	if cs.extending--; cs.extending == 0 {
		cs.early = nil
	}
}

// Build is Extend, and waiting until the circuit is built. A circuit that is
// not wanted any more, when ctx ends, is closed.
func (cs *Circuits) Build(ctx context.Context, path []string) (*Circuit, error) {
	c, err := cs.Extend(ctx, path)
	if err != nil {
		return nil, err
	}
	select {
	case <-c.built:
		return c, nil
	case <-c.done:
		return nil, c.Err()
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), c.abandon(ctx))
	}
}

// Adopt follows a circuit that exists already: made by another controller, or
// before a restart. Its path is what tor has built of it so far.
func (cs *Circuits) Adopt(ctx context.Context, id string) (*Circuit, error) {
	cs.mu.Lock()
	if c := cs.circuits[id]; c != nil {
		defer cs.mu.Unlock()
		return c, nil
	}
	// From here on events are seen, so that what circuit-status says can only
	// be older.
	c := cs.followLocked(id)
	cs.mu.Unlock()
	all, err := circuitStatus(ctx, cs)
	if err != nil {
		cs.drop(c)
		return nil, err
	}
	for _, status := range all {
		if status.ID == id {
			c.update(status)
			return c, nil
		}
	}
	cs.drop(c)
	return nil, fmt.Errorf("tor has no circuit %q", id)
}

func (cs *Circuits) drop(c *Circuit) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.circuits[c.ID] == c {
		delete(cs.circuits, c.ID)
	}
}

// followLocked returns the circuit of an id.
func (cs *Circuits) followLocked(id string) *Circuit {
	c := cs.circuits[id]
	if c == nil {
		c = &Circuit{ID: id, owner: cs, built: make(chan struct{}), done: make(chan struct{})}
		cs.circuits[id] = c
	}
	return c
}

// List is every circuit that tor has: id, status and path (GETINFO
// circuit-status).
func (cs *Circuits) List(ctx context.Context) ([]controlspec.CircEvent, error) {
	return circuitStatus(ctx, cs)
}

func circuitStatus(ctx context.Context, d doer) ([]controlspec.CircEvent, error) {
	text, err := getInfo(ctx, d, "circuit-status")
	if err != nil {
		return nil, err
	}
	var all []controlspec.CircEvent
	for line := range strings.Lines(text) {
		status, err := controlspec.ParseCircStatus(strings.TrimRight(line, "\r\n"))
		if err != nil {
			return nil, fmt.Errorf("GETINFO circuit-status: %w", err)
		}
		all = append(all, status)
	}
	return all, nil
}

// Events are those of circuits' lives and bytes.
func (cs *Circuits) Events() []string { return []string{"CIRC", "CIRC_BW"} }

// Connected ends the circuits that a tor which was restarted does not have.
// One with the same id and another path is another circuit.
func (cs *Circuits) Connected(ctx context.Context, conn *Conn) error {
	cs.set(conn)
	cs.mu.Lock()
	followed := len(cs.circuits)
	cs.mu.Unlock()
	if followed == 0 {
		return nil
	}
	all, err := circuitStatus(ctx, conn)
	if err != nil {
		return err
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for id, c := range cs.circuits {
		i := slices.IndexFunc(all, func(s controlspec.CircEvent) bool { return s.ID == id && c.same(s) })
		if i < 0 {
			c.end(ErrCircuitGone)
			delete(cs.circuits, id)
			continue
		}
		c.update(all[i])
	}
	return nil
}

// Event takes CIRC and CIRC_BW.
func (cs *Circuits) Event(_ context.Context, event controlspec.Reply) {
	text := event.Lines[0].Text
	if eventName(event) == "CIRC_BW" {
		if bw, err := controlspec.ParseCircBW(text); err == nil {
			cs.count(bw)
		}
		return
	}
	status, err := controlspec.ParseCirc(text)
	if err != nil {
		return
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.circuits[status.ID]
	if c == nil {
		if cs.extending > 0 && len(cs.early) < maxEarly {
			cs.early = append(cs.early, status)
		}
		return
	}
	c.update(status)
	if c.Err() != nil {
		delete(cs.circuits, status.ID)
	}
}

func (cs *Circuits) count(bw controlspec.CircBWEvent) {
	cs.mu.Lock()
	c := cs.circuits[bw.ID]
	cs.mu.Unlock()
	if c != nil {
		c.read.Add(bw.DeliveredRead)
		c.written.Add(bw.DeliveredWritten)
	}
}

// Disconnected leaves the circuits as they are: they may live on in tor.
func (cs *Circuits) Disconnected(error) { cs.set(nil) }

// isFingerprint reports 40 hex digits.
func isFingerprint(s string) bool {
	return len(s) == 40 && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}
