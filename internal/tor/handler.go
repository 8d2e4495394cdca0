package tor

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/el-tor/tops/controlspec"
)

// A Handler is a part of tops that follows tor over reconnects: [Settings],
// [Circuits], [Attacher]. A [Client] calls its methods one after the other,
// never two at once.
type Handler interface {
	// Events names the events it wants.
	Events() []string
	// Connected is called when a connection is ready: events are subscribed
	// to, and those that came already follow. An error ends the connection.
	Connected(ctx context.Context, conn *Conn) error
	// Event is called for each event, in order. It may send commands.
	Event(ctx context.Context, event controlspec.Reply)
	// Disconnected is called when the connection has ended, why in err.
	Disconnected(err error)
}

// A link is what handlers have in common: the connection, while there is one.
type link struct {
	linkMu sync.Mutex
	conn   *Conn
}

func (l *link) set(conn *Conn) {
	l.linkMu.Lock()
	defer l.linkMu.Unlock()
	l.conn = conn
}

func (l *link) get() *Conn {
	l.linkMu.Lock()
	defer l.linkMu.Unlock()
	return l.conn
}

// Do sends a command on the present connection, ErrNotConnected without one.
func (l *link) Do(ctx context.Context, line string) (controlspec.Reply, error) {
	conn := l.get()
	if conn == nil {
		return controlspec.Reply{}, ErrNotConnected
	}
	return conn.Do(ctx, line)
}

// DoAll sends several commands at once: see Conn.DoAll.
func (l *link) DoAll(ctx context.Context, lines ...string) ([]controlspec.Reply, error) {
	conn := l.get()
	if conn == nil {
		return nil, ErrNotConnected
	}
	return conn.DoAll(ctx, lines...)
}

// subscribe asks for what all handlers want.
func subscribe(ctx context.Context, conn *Conn, handlers []Handler) error {
	seen := make(map[string]bool)
	line := "SETEVENTS"
	for _, h := range handlers {
		for _, name := range h.Events() {
			if !seen[name] {
				seen[name] = true
				line += " " + name
			}
		}
	}
	if _, err := conn.Do(ctx, line); err != nil {
		return fmt.Errorf("subscribing to tor's events: %w", err)
	}
	return nil
}

// eventName is the first word of an event. Data of several lines has nothing
// else on the first.
func eventName(event controlspec.Reply) string {
	name, _, _ := strings.Cut(event.Lines[0].Text, " ")
	return name
}
