package demo

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/tor"
)

// controller is an ordinary Tor controller behind the client's control port. It
// extends paid circuits and listens.
type controller struct {
	conn *tor.Conn

	mu     sync.Mutex
	heard  []heard
	change chan struct{} // closed and replaced with each event
}

// heard is an event and when it came.
type heard struct {
	controlspec.PayStreamEvent
	at time.Time
}

func connect(ctx context.Context, w *world) (*controller, error) {
	conn, err := tor.Dial(ctx, tor.Options{Address: w.controlSocket()})
	if err != nil {
		return nil, err
	}
	c := &controller{conn: conn, change: make(chan struct{})}
	if _, err := conn.Do(ctx, "SETEVENTS PAYSTREAM"); err != nil {
		conn.Close()
		return nil, err
	}
	go c.listen()
	return c, nil
}

func (c *controller) listen() {
	for {
		reply, err := c.conn.NextEvent(context.Background())
		if err != nil {
			return
		}
		e, err := controlspec.ParsePayStream(reply.Lines[0].Text)
		if err != nil {
			continue
		}
		c.mu.Lock()
		c.heard = append(c.heard, heard{e, time.Now()})
		close(c.change)
		c.change = make(chan struct{})
		c.mu.Unlock()
	}
}

// extend makes a paid circuit.
func (c *controller) extend(ctx context.Context, path []string) (circ string, err error) {
	reply, err := c.conn.Do(ctx, "EXTENDPAIDCIRCUIT 0 "+strings.Join(path, ","))
	if err != nil {
		return "", err
	}
	words := strings.Fields(reply.Lines[0].Text)
	if len(words) != 2 || words[0] != "EXTENDED" {
		return "", fmt.Errorf("tor answered %q", reply.Lines[0].Text)
	}
	return words[1], nil
}

// wait returns the first event, heard or still to come, that fits.
func (c *controller) wait(ctx context.Context, what string, limit time.Duration, fits func(heard) bool) (heard, error) {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for seen := 0; ; {
		c.mu.Lock()
		news, change := c.heard[seen:], c.change
		seen = len(c.heard)
		c.mu.Unlock()
		for _, h := range news {
			if fits(h) {
				return h, nil
			}
		}
		select {
		case <-change:
		case <-timeout.C:
			return heard{}, fmt.Errorf("waited %s for %s", limit, what)
		case <-ctx.Done():
			return heard{}, ctx.Err()
		}
	}
}

// all lists what was heard of one pay stream.
func (c *controller) all(handle string) (out []heard) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.heard {
		if h.Handle == handle {
			out = append(out, h)
		}
	}
	return out
}

func status(circ string, s controlspec.PayStreamStatus) func(heard) bool {
	return func(h heard) bool { return h.CircID == circ && h.Status == s }
}
