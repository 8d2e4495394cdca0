package proxy_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/proxy"
)

func plain(upstream string) *proxy.Server {
	return &proxy.Server{Dial: proxy.Dialer("unix:" + upstream)}
}

func TestTorUnreachable(t *testing.T) {
	reported := make(chan error, 1)
	srv := plain("/nonexistent/control")
	srv.DialTimeout = 20 * time.Millisecond
	srv.OnError = func(_ proxy.Controller, err error) { reported <- err }
	c := dial(t, serve(t, srv))
	c.send("PROTOCOLINFO 1\r\nAUTHENTICATE\r\n")
	c.wantEOF("551 Tor is not reachable now, try again later\r\n")
	if err := <-reported; !strings.Contains(err.Error(), "reach tor") {
		t.Errorf("reported %v", err)
	}
}

func TestTooManyControllers(t *testing.T) {
	tor := startFakeTor(t, ok)
	srv := plain(tor.addr)
	srv.MaxControllers = 1
	path := serve(t, srv)
	first := dial(t, path)
	first.ask("AUTHENTICATE", "250 OK\r\n")
	dial(t, path).wantEOF("551 Too many controllers are connected to tops\r\n")
	first.ask("GETINFO a", "250-a=tor's\r\n250 OK\r\n")
}

// What tor said last arrives, and the connection ends with tor's.
func TestTorGone(t *testing.T) {
	tor := startFakeTor(t, ok)
	c := dial(t, serve(t, with(tor.addr, newEngine())))
	c.ask("AUTHENTICATE", "250 OK\r\n")
	tor.say(t, "650 STATUS_GENERAL NOTICE DYING\r\n250-half")
	tor.hangUp()
	c.wantEOF("650 STATUS_GENERAL NOTICE DYING\r\n250-half")
}

// A controller that is waiting for our answer learns of tor's end as well.
func TestTorGoneDuringExtend(t *testing.T) {
	tor := startFakeTor(t, ok)
	e := newEngine()
	e.extend = func(ctx context.Context, _ []string) (string, error) {
		tor.hangUp()
		<-ctx.Done()
		return "", ctx.Err()
	}
	c := dial(t, serve(t, with(tor.addr, e)))
	c.ask("AUTHENTICATE", "250 OK\r\n")
	c.send(paid + "\r\n")
	c.wantEOF("")
}

// A controller may end its direction and still hear all the answers.
func TestHalfClose(t *testing.T) {
	for name, upstream := range map[string]string{"real": startTor(t).unix, "fake": startFakeTor(t, ok).addr} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, serve(t, with(upstream, newEngine())))
			c.send("AUTHENTICATE\r\n" + paid + "\r\nSETEVENTS\r\nGETINFO tops/version\r\n")
			if err := c.Conn.(*net.UnixConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			c.wantEOF("250 OK\r\n250 EXTENDED 7\r\n250 OK\r\n250-tops/version=0.1\r\n250 OK\r\n")
		})
	}
}

// An unfinished command goes to tor unchanged when the controller leaves.
func TestUnfinishedCommand(t *testing.T) {
	c := dial(t, serve(t, plain(startTor(t).unix)))
	c.send("AUTHENTICATE\r\nGETINFO ver")
	c.Conn.(*net.UnixConn).CloseWrite()
	c.wantEOF("250 OK\r\n")
}

// A line above tor's limit gets tor's own answer.
func TestLineTooLong(t *testing.T) {
	c := dial(t, serve(t, with(startTor(t).unix, newEngine())))
	c.ask("AUTHENTICATE", "250 OK\r\n")
	go c.Write([]byte("GETINFO " + strings.Repeat("x", controlspec.MaxCommand) + "\r\n"))
	c.wantEOF("500 Line too long.\r\n")
}

func TestLongestLine(t *testing.T) {
	c := dial(t, serve(t, with(startTor(t).unix, newEngine())))
	c.ask("AUTHENTICATE", "250 OK\r\n")
	key := strings.Repeat("x", controlspec.MaxCommand-100)
	go c.Write([]byte("GETINFO " + key + "\r\n"))
	c.want("552 Unrecognized key \"" + key + "\"\r\n")
}

// Data blocks reach tor as they were written, and come back as tor writes them.
func TestDataBlocks(t *testing.T) {
	var got controlspec.Command
	tor := startFakeTor(t, func(cmd controlspec.Command) string {
		if !cmd.Block {
			return "250 OK\r\n"
		}
		got = cmd
		return "250+x=\r\n..\r\nEXTENDPAIDCIRCUIT\r\n.\r\n250 OK\r\n"
	})
	c := dial(t, serve(t, with(tor.addr, newEngine())))
	c.ask("AUTHENTICATE", "250 OK\r\n")
	c.ask("+HSPOST\r\n..\r\n"+paid+"\r\nGETINFO tops/version\r\n.", "250+x=\r\n..\r\nEXTENDPAIDCIRCUIT\r\n.\r\n250 OK\r\n")
	c.ask("SETEVENTS", "250 OK\r\n")
	if want := ".\n" + paid + "\nGETINFO tops/version\n"; got.Data != want {
		t.Errorf("tor got %q, want %q", got.Data, want)
	}
}

// floodTor says endlessly much and counts what it got rid of.
func floodTor(t *testing.T, chunk []byte) (addr string, written *atomic.Int64) {
	written = new(atomic.Int64)
	ln, err := net.Listen("unix", t.TempDir()+"/tor")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for {
			n, err := conn.Write(chunk)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String(), written
}

// settled waits until n has not moved for a while and returns it.
func settled(t *testing.T, n *atomic.Int64) int64 {
	t.Helper()
	for last, deadline := int64(-1), time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if v := n.Load(); v == last && v > 0 {
			return v
		} else {
			last = v
		}
	}
	t.Fatal("tor is never slowed")
	return 0
}

// A controller that does not read slows tor; nothing is gathered here.
func TestSlowReader(t *testing.T) {
	for name, chunk := range map[string]string{
		"lines":    strings.Repeat("250-a=b\r\n", 1000),
		"one line": strings.Repeat("x", 8000),
		"data":     "250+a=\r\n" + strings.Repeat("data\r\n", 1000),
		"events":   strings.Repeat("650 BW 1 2\r\n", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			addr, written := floodTor(t, []byte(chunk))
			c := dial(t, serve(t, with(addr, newEngine())))
			before := settled(t, written)
			if before > 2<<20 {
				t.Errorf("%d bytes were taken from tor for a controller that does not read", before)
			}
			const read = 8 << 20 // and it goes on when the controller does
			if n, err := io.CopyN(io.Discard, c.r, read); err != nil {
				t.Fatalf("read %d: %v", n, err)
			}
		})
	}
}

// With a StallTimeout one that does not read is let go, and so is its tor.
func TestStallTimeout(t *testing.T) {
	addr, written := floodTor(t, []byte(strings.Repeat("650 BW 1 2\r\n", 1000)))
	srv := plain(addr)
	srv.StallTimeout = 50 * time.Millisecond
	reported := make(chan error, 1)
	srv.OnError = func(_ proxy.Controller, err error) { reported <- err }
	c := dial(t, serve(t, srv))
	select {
	case err := <-reported:
		if !strings.Contains(err.Error(), "does not read") {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("a stalled controller is kept")
	}
	if n, _ := io.Copy(io.Discard, c.r); n > written.Load() {
		t.Errorf("read %d of %d", n, written.Load())
	}
}

// A subscriber that does not read is disconnected before its events fill our
// memory, and the engine is not held up.
func TestStalledSubscriber(t *testing.T) {
	tor := startFakeTor(t, ok)
	e := newEngine()
	stalled := make(chan error, 1000)
	srv := with(tor.addr, e)
	srv.OnError = func(_ proxy.Controller, err error) { stalled <- err }
	path := serve(t, srv)
	c, good := dial(t, path), dial(t, path)
	for _, c := range []*controller{c, good} {
		c.ask("AUTHENTICATE", "250 OK\r\n")
		c.ask("SETEVENTS PAYSTREAM", "250 OK\r\n")
	}
	for deadline := time.Now().Add(patience); len(stalled) == 0; {
		e.emit(event)
		good.want(eventLine)
		if time.Now().After(deadline) {
			t.Fatal("events pile up without end")
		}
	}
	if err := <-stalled; !strings.Contains(err.Error(), "does not read") {
		t.Error(err)
	}
	if n, err := io.Copy(io.Discard, c.r); err != nil && !errors.Is(err, net.ErrClosed) || n == 0 {
		t.Logf("the stalled one read %d bytes, then %v", n, err)
	}
	for deadline := time.Now().Add(patience); e.emit(event) != 1; {
		good.want(eventLine)
		if time.Now().After(deadline) {
			t.Fatal("the stalled one is still subscribed")
		}
	}
	good.want(eventLine)
}

// Many bad controllers at once leave nothing behind (goleak) and disturb no
// other.
func TestBadControllers(t *testing.T) {
	tor := startTor(t)
	path := serve(t, with(tor.unix, newEngine()))
	good := dial(t, path)
	good.ask("AUTHENTICATE", "250 OK\r\n")
	for i := range 200 {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		switch i % 5 {
		case 0: // says nothing, ever
		case 1:
			conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
		case 2:
			conn.Write([]byte("AUTHENTICATE\r\n+LOADCONF\r\nhalf a bl"))
			conn.(*net.UnixConn).CloseWrite()
		case 3:
			conn.Write(bytes.Repeat([]byte{0, '\r', 0xff, '+', '\n'}, 100))
			conn.Close()
		case 4: // asks for much and reads nothing
			conn.Write([]byte("AUTHENTICATE\r\n" + strings.Repeat("GETINFO config-text config/names\r\n", 100)))
		}
		if i%20 == 0 {
			good.ask("GETINFO tops/version", "250-tops/version=0.1\r\n250 OK\r\n")
		}
	}
	good.ask("GETINFO tops/version", "250-tops/version=0.1\r\n250 OK\r\n")
}

func TestControllerIdentity(t *testing.T) {
	var got proxy.Controller
	srv := plain("/nonexistent/control")
	srv.DialTimeout = time.Millisecond
	done := make(chan struct{})
	srv.OnError = func(c proxy.Controller, _ error) { got = c; close(done) }
	dial(t, serve(t, srv))
	<-done
	if got.Peer == nil || got.Peer.PID == 0 || got.ID != 1 {
		t.Errorf("controller %+v has no credentials", got)
	}
}
