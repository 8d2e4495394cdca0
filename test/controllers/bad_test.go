package controllers_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/el-tor/tops/proxy"
	"golang.org/x/sync/errgroup"
)

var soak = flag.Bool("soak", false, "a thousand bad controllers, not a hundred")

const atOnce = 100

// bad controllers, by what is bad about them. Each has connected to the proxy and
// may be gone when it returns; login is what lets it in.
var bad = []struct {
	name string
	act  func(c *net.UnixConn, login string) error
}{
	{"says nothing", func(*net.UnixConn, string) error { return nil }},
	{"goes before tor knows it", func(c *net.UnixConn, login string) error { return say(c, login[:len(login)/2]) }},
	{"is refused", func(c *net.UnixConn, _ string) error {
		return errors.Join(say(c, "AUTHENTICATE 00\r\nGETINFO version\r\n"), hear(c, "515 "))
	}},
	{"speaks slowly", func(c *net.UnixConn, login string) error {
		for _, b := range []byte(login + "GETINFO version\r\nQUIT\r\n") {
			if err := say(c, string(b)); err != nil {
				return err
			}
			time.Sleep(2 * time.Millisecond)
		}
		return hear(c, "250 OK\r\n250-version=")
	}},
	{"reads nothing", func(c *net.UnixConn, login string) error {
		// More than all buffers hold; the proxy stops to read when it is not read.
		c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		err := say(c, login+strings.Repeat("GETINFO config/names\r\n", 1000))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
		return err
	}},
	{"hears nothing of many events", func(c *net.UnixConn, login string) error {
		err := say(c, login+"SETEVENTS BW DEBUG INFO NOTICE CIRC STREAM\r\n")
		time.Sleep(200 * time.Millisecond)
		return err
	}},
	{"closes one half", func(c *net.UnixConn, login string) error {
		err := errors.Join(say(c, login+"GETINFO version\r\nGETINFO ver"), c.CloseWrite())
		return errors.Join(err, hear(c, "250 OK\r\n250-version="))
	}},
	{"closes the other half", func(c *net.UnixConn, login string) error {
		return errors.Join(c.CloseRead(), unheard(say(c, login+strings.Repeat("GETINFO config/names\r\n", 50))))
	}},
	{"ends within a data block", func(c *net.UnixConn, login string) error {
		return say(c, login+"+LOADCONF\r\nContactInfo nobody\r\n..\r\n")
	}},
	{"has a NUL and a bare CR", func(c *net.UnixConn, login string) error {
		err := say(c, login+"GETINFO version\x00\r\nGETINFO\rversion\r\nQUIT\r\n")
		return errors.Join(err, hear(c, "250 OK\r\n500 Syntax error: NUL in a command\r\n500 Syntax error: bare CR in a command\r\n250 "))
	}},
	{"has no end of line", func(c *net.UnixConn, login string) error {
		return unheard(say(c, login+strings.Repeat("x", 2<<20)))
	}},
	{"has a data block without end", func(c *net.UnixConn, login string) error {
		return unheard(say(c, login+"+NONSENSE\r\n"+strings.Repeat("line\r\n", 200_000)))
	}},
	{"is noise", func(c *net.UnixConn, login string) error {
		noise := make([]byte, 20_000)
		for i := range noise {
			noise[i] = byte(rand.Uint32())
		}
		return unheard(say(c, login+string(noise)))
	}},
}

func say(c *net.UnixConn, text string) error {
	_, err := io.WriteString(c, text)
	return err
}

// hear wants a beginning, and that the connection ends.
func hear(c *net.UnixConn, want string) error {
	got, err := io.ReadAll(c)
	if !bytes.HasPrefix(got, []byte(want)) {
		return fmt.Errorf("heard %q, %v; want %q", got, err, want)
	}
	return nil
}

// unheard is nil when the other end would not listen any more.
func unheard(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	return err
}

// badControllers are many, and disturb nobody and leave nothing behind.
func (w *world) badControllers(t *testing.T) {
	many := atOnce
	if *soak {
		many = 1000
	}
	cookie, err := os.ReadFile(filepath.Join(w.tor.Dir, "control_auth_cookie"))
	if err != nil {
		t.Fatal(err)
	}
	login := "AUTHENTICATE " + hex.EncodeToString(cookie) + "\r\n"
	socket := filepath.Join(w.dir, "plain.sock")
	ln, err := proxy.Listen("unix:"+socket, proxy.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	srv := &proxy.Server{Dial: proxy.Dialer("unix:" + w.tor.ControlSocket)}
	go func() { served <- srv.Serve(ctx, ln) }()
	defer func() { cancel(); <-served }()

	good := dial(t, socket)
	good.ask(t, "SETEVENTS SIGNAL")
	before := w.held(t)
	var one goodOne
	busy, stop := context.WithCancel(t.Context())
	undisturbed := make(chan error, 1)
	go func() { undisturbed <- one.work(busy, good) }()
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i := range many {
		g.Go(func() error {
			b := bad[i%len(bad)]
			conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
			if err != nil {
				return err
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(30 * time.Second))
			if err := b.act(conn, login); err != nil {
				return fmt.Errorf("the controller that %s: %w", b.name, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-undisturbed; err != nil {
		t.Fatalf("a good controller: %v", err)
	}
	for range one.signals {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		event, err := good.NextEvent(ctx)
		cancel()
		if err != nil || event.Lines[0].Text != "SIGNAL CLEARDNSCACHE" {
			t.Fatalf("a good controller heard %v, %v", event, err)
		}
	}
	var after held
	until(t, "everything to be given back", 20*time.Second, func() bool {
		after = w.held(t)
		return after.routines <= before.routines && after.descriptors <= before.descriptors && after.tor <= before.tor
	}, func() string { return fmt.Sprintf("%+v, before %+v", after, before) })
	if grown := int64(after.heap) - int64(before.heap); grown > 8<<20 {
		t.Errorf("%d bytes of memory are left behind", grown)
	}
	if one.slowest > 2*time.Second {
		t.Errorf("a good controller waited %v", one.slowest)
	}
	t.Logf("%d bad controllers, %d at once: %d commands of a good one, the slowest took %v, all of %d events; %+v before, %+v after",
		many, atOnce, one.asked, one.slowest.Round(time.Millisecond), one.signals, before, after)
}

// goodOne is what a good controller did and met.
type goodOne struct {
	asked, signals int
	slowest        time.Duration
}

// work asks one thing after the other until ctx ends, and has tor tell of a signal
// now and then.
func (o *goodOne) work(ctx context.Context, c controller) error {
	for ctx.Err() == nil {
		begin := time.Now()
		reply, err := c.Do(context.WithoutCancel(ctx), "GETINFO version")
		if err != nil {
			return err
		}
		if got := reply.Values()["version"]; !strings.HasPrefix(got, "0.") {
			return fmt.Errorf("the version is %q", got)
		}
		o.slowest = max(o.slowest, time.Since(begin))
		if o.asked++; o.asked%10 == 0 {
			if _, err := c.Do(context.WithoutCancel(ctx), "SIGNAL CLEARDNSCACHE"); err != nil {
				return err
			}
			o.signals++
		}
	}
	return nil
}

// held is what this process, with the proxy in it, holds, and how many control
// connections tor has.
type held struct {
	routines, descriptors, tor int
	heap                       uint64
}

func (w *world) held(t *testing.T) held {
	t.Helper()
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := os.ReadFile("/proc/net/unix") // with the path, once for each accepted connection
	if err != nil {
		t.Fatal(err)
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return held{runtime.NumGoroutine(), len(descriptors), bytes.Count(sockets, []byte(w.tor.ControlSocket+"\n")), m.HeapInuse}
}
