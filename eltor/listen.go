package eltor

import (
	"context"
	"fmt"
	"time"

	"github.com/el-tor/tops/internal/tor"
)

// Pauses between attempts to connect.
const (
	minPause = 100 * time.Millisecond
	maxPause = 5 * time.Second
)

// listen keeps a connection on which tor tells of payloads until ctx ends. It
// carries nothing else, since a payload may hold line ends and so say anything.
func (c *Carrier) listen(ctx context.Context) {
	pause, lost := minPause, false
	for ctx.Err() == nil {
		conn, err := tor.DialLines(ctx, c.cfg.Options, EventName, c.line)
		if err == nil {
			pause, lost = minPause, false
			select {
			case <-conn.Done():
			case <-ctx.Done():
			}
			err = conn.Err()
			conn.Close()
		}
		if ctx.Err() != nil {
			return
		}
		if !lost {
			c.failed(fmt.Errorf("tor tells of no circuits any more, and is asked again: %w", err))
			lost = true
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, maxPause)
	}
}

// line takes one line of tor's. Doubled ones, and those whose circuit is not there,
// are found later.
func (c *Carrier) line(raw []byte) {
	ev, err := ParseEvent(string(raw))
	if err != nil || (ev.Circuit == 0) != (c.cfg.Fork.Dialect == A) { // or the other dialect's form
		c.count(func(s *Stats) { s.Malformed++ })
		return
	}
	select {
	case c.heard <- ev:
	default:
		c.count(func(s *Stats) { s.Dropped++ })
	}
}

func (c *Carrier) count(f func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.stats)
}
