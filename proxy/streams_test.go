package proxy_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/proxy"
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

// A configuration as a whole is looked at, too, as tor reads it.
func TestLoadConfLeavesStreams(t *testing.T) {
	refused := "553 Unable to set option\r\n"
	tor := startFakeTor(t, func(cmd controlspec.Command) string {
		if strings.Contains(cmd.Data, "Nonsense") {
			return refused
		}
		return "250 OK\r\n"
	})
	e := &leaver{engine: newEngine()}
	srv := with(tor.addr, e.engine)
	srv.Engine = e
	c := dial(t, serve(t, srv))
	c.ask("AUTHENTICATE", "250 OK\r\n")
	for _, tt := range []struct {
		data string
		told int32
	}{
		{"__LeaveStreamsUnattached 1\r\n", 1},
		{"SocksPort 9050\r\n  __leavestreamsunattached   \"1\" # mine\r\nContactInfo x\r\n", 1},
		{"__LeaveStreamsUnattached \\\r\n 1\r\n", 1},
		{"+__LeaveStreamsUnattached 1\n", 1},
		{"", 0},
		{"SocksPort 9050\r\n", 0},
		{"__LeaveStreamsUnattached 0\r\n", 0},
		{"#__LeaveStreamsUnattached 1\r\n", 0},
		{"ContactInfo __LeaveStreamsUnattached 1\r\n", 0},
		{"/__LeaveStreamsUnattached 1\r\n", 0},
		{"__LeaveStreamsUnattached 1\r\n__LeaveStreamsUnattached 0\r\n", 0},
		{"__LeaveStreamsUnattached 1\r\nNonsense 1\r\n", 0},
		{"..\r\n__LeaveStreamsUnattached\r\n", 0},
	} {
		before, want := e.told.Load(), "250 OK\r\n"
		if strings.Contains(tt.data, "Nonsense") {
			want = refused
		}
		c.ask("+LOADCONF\r\n"+tt.data+".", want)
		if got := e.told.Load() - before; got != tt.told {
			t.Errorf("LOADCONF %q: the engine was told %d times, want %d", tt.data, got, tt.told)
		}
	}
}

func FuzzLoadsStreams(f *testing.F) {
	for _, s := range []string{"", "__LeaveStreamsUnattached 1\r\n", "a \\\n b # c\n", "/__LeaveStreamsUnattached", "+\n/\n\"\n\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if proxy.LoadsStreams([]byte(s)) && !strings.Contains(strings.ToLower(strings.NewReplacer("\r\n", "", "\n", "", "\\", "").Replace(s)), "__leavestreamsunattached") {
			t.Errorf("%q names no such option", s)
		}
	})
}
