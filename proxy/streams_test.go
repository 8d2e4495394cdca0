package proxy_test

import (
	"context"
	"sync/atomic"
	"testing"
)

// leaver is an engine that attaches streams.
type leaver struct {
	*engine
	told atomic.Int32
}

func (l *leaver) LeaveStreams(context.Context) error {
	l.told.Add(1)
	return nil
}

// The engine learns that a controller wants to attach streams before the
// controller learns that it may, whatever tor thought of the option before.
func TestLeaveStreams(t *testing.T) {
	tor := startTor(t)
	e := &leaver{engine: newEngine()}
	srv := with(tor.unix, e.engine)
	srv.Engine = e
	c := dial(t, serve(t, srv))
	c.ask("AUTHENTICATE", "250 OK\r\n")
	for _, tt := range []struct {
		cmd, reply string
		told       int32
	}{
		{"SETCONF __LeaveStreamsUnattached=0", "250 OK\r\n", 0},
		{"SETCONF __LeaveStreamsUnattached", "250 OK\r\n", 0},
		{"SETCONF ContactInfo=\"__LeaveStreamsUnattached=1\"", "250 OK\r\n", 0},
		{"SETCONF __LeaveStreamsUnattached=1", "250 OK\r\n", 1},
		{"setconf ContactInfo=x __leavestreamsunattached=\"1\"", "250 OK\r\n", 1},
		{"SETCONF PaymentBip353=x __LeaveStreamsUnattached=1", "250 OK\r\n", 1},
		{"SETCONF __LeaveStreamsUnattached=1 Nonsense=1", "552 Unrecognized option: Unknown option 'Nonsense'.  Failing.\r\n", 0},
		{"RESETCONF __LeaveStreamsUnattached", "250 OK\r\n", 0},
		{"RESETCONF __LeaveStreamsUnattached=1", "250 OK\r\n", 1}, // tor resets it, then sets it
	} {
		before := e.told.Load()
		c.ask(tt.cmd, tt.reply)
		if got := e.told.Load() - before; got != tt.told {
			t.Errorf("%s: the engine was told %d times, want %d", tt.cmd, got, tt.told)
		}
	}
}
