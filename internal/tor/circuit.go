package tor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/el-tor/tops/controlspec"
)

// A Circuit is a circuit of tor that is followed until its end.
type Circuit struct {
	ID string

	owner   *Circuits
	built   chan struct{} // closed at BUILT
	done    chan struct{} // closed at the end
	read    atomic.Int64
	written atomic.Int64

	mu   sync.Mutex // guards what follows
	path []string
	err  error
}

// ErrCircuitGone ends a circuit that tor does not have any more after a
// reconnect.
var ErrCircuitGone = errors.New("tor has the circuit no more")

// A CircuitError is the end of a circuit as tor tells it (control-spec
// §4.1.1): DESTROYED, TIMEOUT, REQUESTED, FINISHED, …
type CircuitError struct {
	ID           string
	Status       string // FAILED or CLOSED
	Reason       string
	RemoteReason string // when Reason is DESTROYED
}

func (e *CircuitError) Error() string {
	text := fmt.Sprintf("circuit %s %s", e.ID, strings.ToLower(e.Status))
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	if e.RemoteReason != "" {
		text += " (by the relay: " + e.RemoteReason + ")"
	}
	return text
}

// update takes a status, from an event or from circuit-status. The end is
// final: after FAILED tor can still say BUILT of the same id.
func (c *Circuit) update(status controlspec.CircEvent) {
	if status.ID != c.ID {
		return
	}
	switch status.Status {
	case "FAILED", "CLOSED":
		c.end(&CircuitError{c.ID, status.Status, status.Reason, status.RemoteReason})
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	if len(status.Path) > len(c.path) {
		c.path = status.Path
	}
	if status.Status == "BUILT" {
		select {
		case <-c.built:
		default:
			close(c.built)
		}
	}
}

func (c *Circuit) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		close(c.done)
	}
}

// same reports whether a status can be this circuit's: paths only grow.
func (c *Circuit) same(status controlspec.CircEvent) bool {
	path := c.Path()
	return len(status.Path) >= len(path) && slices.Equal(status.Path[:len(path)], path)
}

// Path is the fingerprints of the hops that are built.
func (c *Circuit) Path() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.path)
}

// Built is closed when the circuit can be used.
func (c *Circuit) Built() <-chan struct{} { return c.built }

// Done is closed when the circuit has ended.
func (c *Circuit) Done() <-chan struct{} { return c.done }

// Err says why the circuit ended, mostly a [*CircuitError]; nil while it lives.
func (c *Circuit) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Delivered is how many bytes of streams' data the circuit has moved since it
// is followed, a second late (CIRC_BW).
func (c *Circuit) Delivered() (read, written int64) { return c.read.Load(), c.written.Load() }

// abandon closes a circuit that is not wanted any more since ctx has ended.
func (c *Circuit) abandon(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handleTimeout)
	defer cancel()
	return c.Close(ctx)
}

// Close asks tor to close the circuit, and waits for its end. One that has
// ended is no error.
func (c *Circuit) Close(ctx context.Context) error {
	if c.Err() != nil {
		return nil
	}
	if _, err := c.owner.Do(ctx, "CLOSECIRCUIT "+c.ID); err != nil && c.Err() == nil {
		if isRefusal(err) { // 552: it has ended, the event is on its way
			c.end(ErrCircuitGone)
			c.owner.drop(c)
			return nil
		}
		return err
	}
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
