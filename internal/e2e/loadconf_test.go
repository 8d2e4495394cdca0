package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/tor"
	"golang.org/x/net/proxy"
)

// loadConf has a controller load a whole configuration, in which it wants streams
// left to it, and then one in which it does not.
func (w *world) loadConf(t *testing.T) {
	w.steady(t)
	c := w.controller(t)
	direct, err := tor.Dial(t.Context(), tor.Options{Address: w.net.Clients[0].ControlSocket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { direct.Close() })
	watch := &controller{Conn: direct}
	var text strings.Builder
	for line := range strings.Lines(watch.info(t, "config-text")) {
		fmt.Fprintf(&text, "%s\r\n", strings.TrimRight(line, "\r\n"))
	}

	if got := w.block(t, "+LOADCONF\r\n"+text.String()+"__LeaveStreamsUnattached 1\r\n"); got != "250 OK" {
		t.Fatalf("LOADCONF: %s", got)
	}
	id := w.someStream(t, watch, "left.example:80")
	// tops hears of streams in their order: when its own is through, it has seen the
	// other.
	circ := c.extend(t, w.path)
	startDownload(t, circ).goesOn(t)
	if got := watch.ask(t, "ATTACHSTREAM "+id+" 0"); got != "250 OK" {
		t.Errorf("a stream that a controller wants left is not its to attach: %s", got)
	}
	watch.ok(t, "CLOSESTREAM "+id+" 1")

	if got := w.block(t, "+LOADCONF\r\n"+text.String()); got != "250 OK" {
		t.Fatalf("LOADCONF: %s", got)
	}
	until(t, "our options to be in force again", 10*time.Second, func() bool {
		return watch.ask(t, "GETCONF __LeaveStreamsUnattached FetchUselessDescriptors") == "250 __LeaveStreamsUnattached=1\nFetchUselessDescriptors=1"
	})
	id = w.someStream(t, watch, "free.example:80")
	startDownload(t, circ).goesOn(t)
	if got := watch.ask(t, "ATTACHSTREAM "+id+" 0"); !strings.HasPrefix(got, "555 ") {
		t.Errorf("a stream that nobody wants left was not given to tor: %s", got)
	}
	watch.ok(t, "CLOSESTREAM "+id+" 1")
}

// someStream has an app of tor's own SOCKS port ask for a target, and returns the
// stream's id. The app goes with the test.
func (w *world) someStream(t *testing.T, c *controller, target string) (id string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		d, err := proxy.SOCKS5("tcp", w.net.Clients[0].SocksAddr, nil, nil)
		if err != nil {
			return
		}
		if conn, err := d.(proxy.ContextDialer).DialContext(ctx, "tcp", target); err == nil {
			conn.Close()
		}
	}()
	t.Cleanup(func() { cancel(); <-gone })
	until(t, "the stream to "+target, 10*time.Second, func() bool {
		id, _, _ = strings.Cut(streamStatus(t, c, target), " ")
		return id != ""
	})
	return id
}

// streamStatus is what tor says of the stream to a target: id, status and circuit.
func streamStatus(t *testing.T, c *controller, target string) string {
	t.Helper()
	for line := range strings.Lines(c.info(t, "stream-status")) {
		if f := strings.Fields(line); len(f) == 4 && f[3] == target {
			return strings.Join(f[:3], " ")
		}
	}
	return ""
}
