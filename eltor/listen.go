package eltor

import (
	"context"
	"fmt"
	"time"

	"github.com/el-tor/tops/internal/tor"
)

// suspect is for how long nothing is believed after a line that is no event: what
// follows it may have been said by the same stranger.
const suspect = 50 * time.Millisecond

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
		e := ears{c: c}
		conn, err := tor.DialLines(ctx, c.cfg.Options, EventName, e.line)
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

// ears is what one connection has heard.
type ears struct {
	c   *Carrier
	bad time.Time // when the last line came that was no event
}

// line takes one line of tor's. Doubled ones are the carrier's to find.
func (e *ears) line(raw []byte) {
	ev, err := ParseEvent(string(raw))
	now := time.Now()
	if err == nil && now.Sub(e.bad) < suspect {
		e.c.count(func(s *Stats) { s.Injected++ })
		return
	}
	if err != nil {
		e.bad = now
		e.c.count(func(s *Stats) { s.Malformed++ })
		return
	}
	if ev.Circuit == 0 && e.c.cfg.Fork.Dialect == B || ev.Circuit != 0 && e.c.cfg.Fork.Dialect == A {
		e.bad = now // the other dialect's form
		e.c.count(func(s *Stats) { s.Malformed++ })
		return
	}
	select {
	case e.c.heard <- ev:
	default:
		e.c.count(func(s *Stats) { s.Dropped++ })
	}
}

func (c *Carrier) count(f func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.stats)
}
