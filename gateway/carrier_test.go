package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/paystream"
)

// However many connections share an allowance, in both directions: it is used
// to the last byte, and not one more passes until it rises.
func TestAllowanceIsMetToTheByte(t *testing.T) {
	const conns, first, second = 5, 300_001, 1_000_003
	w := newWorld(t, nil)
	w.payee.free = first
	w.open(t)
	h := w.hash.Handle()

	var mu sync.Mutex
	var got int64
	var all sync.WaitGroup
	count := func(c *net.TCPConn) {
		buf := make([]byte, 10_000)
		for {
			n, err := c.Read(buf)
			mu.Lock()
			got += int64(n)
			mu.Unlock()
			if err != nil {
				return
			}
		}
	}
	var ends []*net.TCPConn
	for range conns {
		near, far := w.tunnel(t)
		near.SetDeadline(time.Now().Add(10 * time.Second))
		ends = append(ends, near, far)
	}
	for _, c := range ends {
		all.Go(func() { count(c) })
		all.Go(func() {
			for {
				if _, err := c.Write(make([]byte, 30_000)); err != nil {
					return
				}
			}
		})
	}
	received := func() int64 {
		mu.Lock()
		defer mu.Unlock()
		return got
	}
	eventually(t, "the first allowance is used up", func() bool { return received() == first })
	if used := w.server.Used(h); used != first {
		t.Errorf("used %d of %d", used, first)
	}

	// The payee here sees no reason to refuse; the meter does.
	var busy *paystream.Busy
	if _, err := w.client.Connect(t.Context(), w.hash, "example.com:443"); !errors.As(err, &busy) {
		t.Errorf("CONNECT at the limit: %v, want Busy", err)
	}

	w.server.Allow(h, second)
	eventually(t, "the second allowance is used up", func() bool { return received() == second })
	if used := w.server.Used(h); used != second {
		t.Errorf("used %d of %d", used, second)
	}
	for _, c := range ends {
		c.Close()
	}
	all.Wait()
	if got := received(); got != second {
		t.Errorf("%d bytes passed, %d were allowed", got, second)
	}
}

func TestStopCutsAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	w.open(t)
	near, far := w.tunnel(t)
	mustWrite(t, near, "x")
	mustRead(t, far, "x")
	control, err := w.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	mustWrite(t, control, "GET /tops/v1/paystream HTTP/1.1\r\nAuthorization: Tops "+w.hash.Hex()+"\r\n\r\n")
	mustRead(t, control, "HTTP/1.1 200")

	start := time.Now()
	w.server.Stop(w.hash.Handle(), paystream.ReasonLate)
	for name, c := range map[string]*net.TCPConn{"payer": near, "target": far, "control connection": control.(*net.TCPConn)} {
		if !ends(c, time.Second) {
			t.Errorf("the %s is still connected", name)
		}
	}
	if took := time.Since(start); took > 100*time.Millisecond {
		t.Errorf("it took %v", took)
	}
	if _, err := w.client.Connect(t.Context(), w.hash, "example.com:443"); !errors.Is(err, paystream.ErrUnknown) {
		t.Errorf("CONNECT after Stop: %v", err) // whatever the payee still says
	}
	if used := w.server.Used(w.hash.Handle()); used != 0 {
		t.Errorf("used %d after Stop", used)
	}
}

// A tunnel that waits for its allowance is cut as any other.
func TestStopCutsWhoWaits(t *testing.T) {
	w := newWorld(t, nil)
	w.payee.free = 1
	w.open(t)
	near, far := w.tunnel(t)
	mustWrite(t, near, "xy")
	mustRead(t, far, "x")
	w.server.Stop(w.hash.Handle(), paystream.ReasonLate)
	if !ends(near, time.Second) || !ends(far, time.Second) {
		t.Error("still connected")
	}
}

func TestMoveChangesTheMeterAndNotTheConnection(t *testing.T) {
	w := newWorld(t, nil)
	w.payee.free = 10
	w.open(t)
	old, next := w.hash.Handle(), paystream.NewPreimage().Hash().Handle()
	near, far := w.tunnel(t)
	mustWrite(t, near, "0123456789abcdef")
	mustRead(t, far, "0123456789")
	w.server.Allow(next, 100)
	w.server.Move(old, next)
	mustRead(t, far, "abcdef")
	if a, b := w.server.Used(old), w.server.Used(next); a != 10 || b != 6 {
		t.Errorf("used %d and %d, want 10 and 6", a, b)
	}
	// One that was authorised a moment before the move is the new one's, too.
	near2, far2 := w.tunnel(t)
	w.server.Stop(old, paystream.ReasonCompleted)
	mustWrite(t, near2, "more")
	mustRead(t, far2, "more")
	mustWrite(t, near, "and more")
	mustRead(t, far, "and more")
	w.server.Stop(next, paystream.ReasonLate)
	if !ends(near, time.Second) || !ends(near2, time.Second) {
		t.Error("still connected after the new one was stopped")
	}
}

// Before a continuation begins, what comes in its name counts to the pay stream
// before it, and goes over with the rest.
func TestContinuation(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config) { c.HeadTimeout = 50 * time.Millisecond })
	w.open(t)
	old, next := w.hash, paystream.NewPreimage().Hash()
	client := gateway.NewClient(w.dial) // whose connection has never shown the old one
	defer client.Close()
	in := paystream.Intent{Hash: next, TermsHash: testTerms.Hash(), Continues: &paystream.Continuation{Hash: old, Preimage: w.pre}}
	if _, err := client.Open(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	kept := make(chan error)
	go func() { kept <- client.Keep(ctx, next) }()
	w.hash = next
	near, far := w.tunnel(t)
	mustWrite(t, near, "early")
	mustRead(t, far, "early")
	if used := w.server.Used(old.Handle()); used != 5 {
		t.Errorf("%d bytes count to the old one, want 5", used)
	}
	w.payee.begin(old, next)
	mustWrite(t, near, "late")
	mustRead(t, far, "late")
	if used := w.server.Used(next.Handle()); used != 4 {
		t.Errorf("%d bytes count to the new one, want 4", used)
	}
	cancel()
	if err := <-kept; !errors.Is(err, context.Canceled) {
		t.Errorf("Keep: %v", err)
	}
}

func TestPause(t *testing.T) {
	w := newWorld(t, nil)
	w.open(t)
	near, far := w.tunnel(t)
	mustWrite(t, near, "before")
	mustRead(t, far, "before")
	w.server.Pause(true)
	w.server.Pause(true) // twice is once
	mustWrite(t, near, "after")
	var busy *paystream.Busy
	if _, err := w.client.Connect(t.Context(), w.hash, "example.com:443"); !errors.As(err, &busy) || busy.TooMany {
		t.Errorf("CONNECT in a pause: %v", err)
	}
	if _, err := w.client.View(t.Context(), w.hash); err != nil {
		t.Errorf("GET in a pause: %v", err)
	}
	if used := w.server.Used(w.hash.Handle()); used != 6 {
		t.Errorf("%d bytes used in a pause", used)
	}
	w.server.Pause(false)
	w.server.Pause(false)
	mustRead(t, far, "after")
	w.server.Pause(true)
	w.server.Stop(w.hash.Handle(), paystream.ReasonLate) // a pause keeps nobody
	if !ends(near, time.Second) {
		t.Error("still connected")
	}
}

func TestLimitsOfAPayStream(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config) { c.PayStreamConns, c.PayStreamRate = 3, 1 })
	w.open(t) // the control connection is one of three
	var busy *paystream.Busy
	near, far := w.tunnel(t)
	w.tunnel(t)
	if _, err := w.client.Connect(t.Context(), w.hash, "example.com:443"); !errors.As(err, &busy) || !busy.TooMany {
		t.Errorf("a fourth connection: %v", err)
	}
	near.Close()
	far.Close()
	// There is room again, but two came in this second.
	eventually(t, "the connection is let go", func() bool {
		_, err := w.client.Connect(t.Context(), w.hash, "example.com:443")
		return errors.As(err, &busy) && busy.Reason == "too many new connections a second"
	})
}

func TestOnlyItsOwnTor(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config) {
		c.Source = func(a netip.Addr) bool { return a == netip.MustParseAddr("127.0.0.2") }
	})
	if c, err := w.dial(t.Context()); err == nil { // the reset may come before the dialer looks
		defer c.Close()
		io.WriteString(c, "GET /tops/v1/terms HTTP/1.1\r\n\r\n")
		if b, err := io.ReadAll(c); err == nil || len(b) > 0 {
			t.Errorf("a stranger read %q, %v", b, err)
		}
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	own, err := d.DialContext(t.Context(), "tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	mustWrite(t, own, "GET /tops/v1/terms HTTP/1.1\r\n\r\n")
	mustRead(t, own, "HTTP/1.1 200 OK\r\n")
}

func TestOldestUnauthorisedGoesFirst(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config) { c.Unauthorized, c.HeadTimeout = 2, time.Hour })
	w.open(t) // has a pay stream, and stays
	var strangers []*net.TCPConn
	for range 3 {
		c, err := w.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		strangers = append(strangers, c.(*net.TCPConn))
	}
	if !ends(strangers[0], 5*time.Second) {
		t.Error("the oldest is still connected")
	}
	for i, c := range strangers[1:] {
		c.SetDeadline(time.Now().Add(5 * time.Second))
		mustWrite(t, c, "GET /tops/v1/terms HTTP/1.1\r\n\r\n")
		b := make([]byte, 12)
		if _, err := io.ReadFull(c, b); err != nil || !bytes.HasPrefix(b, []byte("HTTP/1.1 200")) {
			t.Errorf("stranger %d read %q, %v", i+1, b, err)
		}
	}
	if _, err := w.client.View(t.Context(), w.hash); err != nil {
		t.Error(err)
	}
}

func TestSlowHeads(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config) { c.HeadTimeout = 50 * time.Millisecond })
	w.open(t)
	for _, some := range []string{"", "G", "GET /tops/v1/terms HTTP/1.1\r\n", "POST /tops/v1/paystreams HTTP/1.1\r\nContent-Length: 5\r\n\r\n{"} {
		c, err := w.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		mustWrite(t, c, some)
		if !ends(c.(*net.TCPConn), 5*time.Second) {
			t.Errorf("%q: still connected", some)
		}
	}
}

// A pay stream's own connection may be idle for as long as it lives.
func TestKeep(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config) { c.HeadTimeout = 20 * time.Millisecond })
	w.open(t)
	dials := make(chan net.Conn, 10)
	client := gateway.NewClient(func(ctx context.Context) (net.Conn, error) {
		c, err := w.dial(ctx)
		if err == nil {
			dials <- c
		}
		return c, err
	})
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context())
	kept := make(chan error)
	go func() { kept <- client.Keep(ctx, w.hash) }()
	first := <-dials
	select {
	case <-dials:
		t.Fatal("it was lost though nobody took it")
	case <-time.After(150 * time.Millisecond):
	}
	first.Close()
	<-dials // made again
	cancel()
	if err := <-kept; !errors.Is(err, context.Canceled) {
		t.Errorf("Keep: %v", err)
	}

	w.payee.failWith(w.hash, paystream.ErrUnknown)
	if err := client.Keep(t.Context(), w.hash); !errors.Is(err, paystream.ErrUnknown) {
		t.Errorf("Keep of what is unknown: %v", err)
	}
}

func TestIdleTunnelIsCut(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config) { c.IdleTimeout = 50 * time.Millisecond })
	w.open(t)
	near, far := w.tunnel(t)
	mustWrite(t, near, "x")
	mustRead(t, far, "x")
	if !ends(near, 5*time.Second) || !ends(far, 5*time.Second) {
		t.Error("still connected")
	}
}

// A failure of one end is a failure of the other, not an orderly end.
func TestResetIsPassedOn(t *testing.T) {
	w := newWorld(t, nil)
	w.open(t)
	near, far := w.tunnel(t)
	mustWrite(t, near, "x")
	mustRead(t, far, "x")
	far.SetLinger(0)
	far.Close()
	near.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := near.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("read: %v, want a reset", err)
	}
}

// A connection that was lost while nobody used it costs nobody an error.
func TestLostControlConnectionIsMadeAgain(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config) { c.HeadTimeout = 20 * time.Millisecond })
	if _, err := w.client.Terms(t.Context()); err != nil { // shows no pay stream, so it is closed soon
		t.Fatal(err)
	}
	for range 20 {
		time.Sleep(3 * time.Millisecond) // before, at and after the close
		if _, err := w.client.Terms(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestClientStopsWaitingWhenToldTo(t *testing.T) {
	ln := listen(t) // accepts, and never answers
	client := gateway.NewClient(func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", ln.Addr().String())
	})
	defer client.Close()
	h := paystream.NewPreimage().Hash()
	for name, ask := range map[string]func(context.Context) error{
		"View":    func(ctx context.Context) error { _, err := client.View(ctx, h); return err },
		"Connect": func(ctx context.Context) error { _, err := client.Connect(ctx, h, "example.com:443"); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := ask(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}

// A connection that was moved with its pay stream may become a tunnel of the new
// one, though nobody has connected in that one's name before.
func TestMovedConnectionBecomesATunnel(t *testing.T) {
	w := newWorld(t, nil)
	w.open(t)
	control, err := w.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	mustWrite(t, control, "GET /tops/v1/terms HTTP/1.1\r\n\r\nGET /tops/v1/paystream HTTP/1.1\r\nAuthorization: Tops "+w.hash.Hex()+"\r\n\r\n")
	br := bufio.NewReader(control)
	for range 2 {
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
	}
	next := paystream.NewPreimage().Hash()
	w.payee.mu.Lock()
	w.payee.known[next] = paystream.View{Handle: next.Handle()}
	w.payee.mu.Unlock()
	w.payee.begin(w.hash, next)
	mustWrite(t, control, "CONNECT example.com:443 HTTP/1.1\r\nProxy-Authorization: Tops "+next.Hex()+"\r\n\r\nhello")
	mustRead(t, w.accept(t), "hello")
}
