package socks_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	"golang.org/x/net/proxy"

	"github.com/el-tor/tops/internal/socks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// front is a server of which the test sees each request. Every connection goes
// to far.
type front struct {
	addr string
	got  chan socks.Request
	far  chan net.Conn
}

func newFront(t testing.TB, srv *socks.Server) *front {
	t.Helper()
	f := &front{got: make(chan socks.Request, 10), far: make(chan net.Conn, 10)}
	if srv.Connect == nil {
		srv.Connect = func(_ context.Context, r socks.Request) (net.Conn, error) {
			near, far, err := pair()
			f.got <- r
			f.far <- far
			return near, err
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- srv.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		for len(f.far) > 0 {
			(<-f.far).Close()
		}
	})
	return f
}

// pair is the two ends of a TCP connection.
func pair() (near, far net.Conn, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer ln.Close()
	if near, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		return nil, nil, err
	}
	far, err = ln.Accept()
	return near, far, err
}

func (f *front) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(5 * time.Second))
	t.Cleanup(func() { c.Close() })
	return c
}

func TestHandshake(t *testing.T) {
	const ok = "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
	for _, tc := range []struct {
		name, send, reply string
		want              *socks.Request // nil: the handler is not asked
	}{
		{"IPv4", "\x05\x01\x00\x05\x01\x00\x01\x08\x08\x04\x04\x00\x50", "\x05\x00" + ok,
			&socks.Request{Command: socks.Connect, Addr: netip.MustParseAddr("8.8.4.4"), Port: 80}},
		{"IPv6", "\x05\x01\x00\x05\x01\x00\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01\xbb", "\x05\x00" + ok,
			&socks.Request{Command: socks.Connect, Addr: netip.MustParseAddr("2001:db8::1"), Port: 443}},
		{"name", "\x05\x01\x00\x05\x01\x00\x03\x0bexample.com\x01\xbb", "\x05\x00" + ok,
			&socks.Request{Command: socks.Connect, Name: "example.com", Port: 443}},
		{"address as a name", "\x05\x01\x00\x05\x01\x00\x03\x078.8.4.4\x01\xbb", "\x05\x00" + ok,
			&socks.Request{Command: socks.Connect, Addr: netip.MustParseAddr("8.8.4.4"), Port: 443}},
		{"user and password", "\x05\x02\x00\x02\x01\x03bob\x02pw\x05\x01\x00\x01\x08\x08\x04\x04\x00\x50", "\x05\x02\x01\x00" + ok,
			&socks.Request{Command: socks.Connect, Addr: netip.MustParseAddr("8.8.4.4"), Port: 80, Auth: true, User: "bob", Password: "pw"}},
		{"empty user", "\x05\x01\x02\x01\x00\x00\x05\x01\x00\x01\x08\x08\x04\x04\x00\x50", "\x05\x02\x01\x00" + ok,
			&socks.Request{Command: socks.Connect, Addr: netip.MustParseAddr("8.8.4.4"), Port: 80, Auth: true}},
		{"GSSAPI only", "\x05\x01\x01", "\x05\xff", nil},
		{"no methods", "\x05\x00", "", nil},
		{"authentication of another version", "\x05\x01\x02\x05", "\x05\x02", nil},
		{"BIND", "\x05\x01\x00\x05\x02\x00\x01\x08\x08\x04\x04\x00\x50", "\x05\x00\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00", nil},
		{"UDP ASSOCIATE", "\x05\x01\x00\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00", "\x05\x00\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00", nil},
		{"RESOLVE without a resolver", "\x05\x01\x00\x05\xf0\x00\x03\x01a\x00\x00", "\x05\x00\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00", nil},
		{"address type 2", "\x05\x01\x00\x05\x01\x00\x02", "\x05\x00\x05\x08\x00\x01\x00\x00\x00\x00\x00\x00", nil},
		{"port 0", "\x05\x01\x00\x05\x01\x00\x01\x08\x08\x04\x04\x00\x00", "\x05\x00\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00", nil},
		{"a name with a line break", "\x05\x01\x00\x05\x01\x00\x03\x03a\nb\x00\x50", "\x05\x00\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00", nil},
		{"empty name", "\x05\x01\x00\x05\x01\x00\x03\x00\x00\x50", "\x05\x00\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00", nil},
		{"request of version 4", "\x05\x01\x00\x04\x01\x00\x01\x08\x08\x04\x04\x00\x50", "\x05\x00", nil},
		{"SOCKS4", "\x04\x01\x00\x50\x08\x08\x04\x04bob\x00", "\x00\x5b\x00\x00\x00\x00\x00\x00", nil},
		{"garbage", "\x16\x03\x01\x02\x00\n", "", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFront(t, &socks.Server{})
			c := f.dial(t)
			send(t, c, tc.send)
			if tc.want != nil {
				r := <-f.got
				if r.From.String() != c.LocalAddr().String() {
					t.Errorf("from %v, not %v", r.From, c.LocalAddr())
				}
				if diff := cmp.Diff(*tc.want, r, cmpopts.IgnoreFields(socks.Request{}, "From"), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
					t.Error(diff)
				}
				(<-f.far).Close()
			}
			if got, err := io.ReadAll(c); string(got) != tc.reply || err != nil {
				t.Errorf("answer %q, %v; want %q", got, err, tc.reply)
			}
			if len(f.got) > 0 {
				t.Errorf("the handler was asked %+v", <-f.got)
			}
		})
	}
}

func TestRelayIsByteExactAndHalfCloses(t *testing.T) {
	f := newFront(t, &socks.Server{})
	c := f.dial(t).(*net.TCPConn)
	send(t, c, "\x05\x01\x00\x05\x01\x00\x03\x0bexample.com\x01\xbbearly") // before any answer
	<-f.got
	far := (<-f.far).(*net.TCPConn)
	defer far.Close()
	send(t, c, " and late")
	c.CloseWrite()
	if got, err := io.ReadAll(far); string(got) != "early and late" || err != nil {
		t.Fatalf("the target read %q, %v", got, err)
	}
	send(t, far, "answer")
	far.Close()
	if got, err := io.ReadAll(c); string(got) != "\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00answer" || err != nil {
		t.Fatalf("the app read %q, %v", got, err)
	}
}

func TestRealClients(t *testing.T) {
	web := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello "+r.Host) })}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go web.Serve(ln)
	defer web.Close()
	got := make(chan socks.Request, 2)
	f := newFront(t, &socks.Server{Connect: func(ctx context.Context, r socks.Request) (net.Conn, error) {
		got <- r
		return new(net.Dialer).DialContext(ctx, "tcp", ln.Addr().String())
	}})
	dialer, err := proxy.SOCKS5("tcp", f.addr, &proxy.Auth{User: "bob", Password: "pw"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{DialContext: dialer.(proxy.ContextDialer).DialContext, DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: tr}).Get("http://example.com/")
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(resp.Body); string(b) != "hello example.com" {
		t.Errorf("SOCKS: %q", b)
	}
	resp.Body.Close()

	c := f.dial(t)
	send(t, c, "CONNECT example.com:80 HTTP/1.1\r\nHost: example.com:80\r\nProxy-Authorization: Basic Ym9iOnB3\r\n\r\n"+
		"GET / HTTP/1.0\r\nHost: example.com\r\n\r\n")
	b, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 200 OK\r\n\r\nHTTP/1.0 200 OK") || !strings.HasSuffix(string(b), "hello example.com") {
		t.Errorf("HTTP CONNECT: %q, %v", b, err)
	}
	for range 2 {
		if r := <-got; r.Target() != "example.com:80" || r.User != "bob" || r.Password != "pw" || !r.Auth {
			t.Errorf("asked for %q as %q", r.Target(), r.User)
		}
	}
}

func TestReplies(t *testing.T) {
	ours := errors.New("ours")
	for _, tc := range []struct {
		err  error
		want socks.Reply
		http string
	}{
		{fmt.Errorf("policy: %w", socks.NotAllowed), socks.NotAllowed, "403"},
		{ours, socks.HostUnreachable, "502"},
		{context.DeadlineExceeded, socks.TTLExpired, "504"},
		{&net.OpError{Err: syscall.ECONNREFUSED}, socks.ConnectionRefused, "502"},
		{&net.OpError{Err: syscall.ENETUNREACH}, socks.NetworkUnreachable, "502"},
		{&net.OpError{Err: syscall.EHOSTUNREACH}, socks.HostUnreachable, "502"},
		{errors.New("another"), socks.GeneralFailure, "502"},
	} {
		f := newFront(t, &socks.Server{
			Connect: func(context.Context, socks.Request) (net.Conn, error) { return nil, tc.err },
			Reply: func(err error) socks.Reply {
				if err == ours {
					return socks.HostUnreachable
				}
				return socks.Succeeded
			},
		})
		c := f.dial(t)
		send(t, c, "\x05\x01\x00\x05\x01\x00\x03\x01a\x00\x50")
		b, err := io.ReadAll(c)
		if err != nil || len(b) != 12 || socks.Reply(b[3]) != tc.want {
			t.Errorf("%v: answer %q, %v; want reply %d", tc.err, b, err, tc.want)
		}
		c = f.dial(t)
		send(t, c, "CONNECT a:80 HTTP/1.1\r\n\r\n")
		if b, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 "+tc.http+" ") {
			t.Errorf("%v: HTTP answer %q, %v; want %s", tc.err, b, err, tc.http)
		}
	}
}

func TestResolve(t *testing.T) {
	f := newFront(t, &socks.Server{Resolve: func(_ context.Context, r socks.Request) (socks.Answer, error) {
		switch {
		case r.Command == socks.ResolvePTR && r.Addr == netip.MustParseAddr("8.8.4.4"):
			return socks.Answer{Name: "dns.google"}, nil
		case r.Command == socks.Resolve && r.Name == "six":
			return socks.Answer{Addr: netip.MustParseAddr("2001:db8::1")}, nil
		case r.Command == socks.Resolve && r.Name == "four":
			return socks.Answer{Addr: netip.MustParseAddr("8.8.4.4")}, nil
		}
		return socks.Answer{}, socks.HostUnreachable
	}})
	for send4, want := range map[string]string{
		"\xf0\x00\x03\x04four\x00\x00":         "\x05\x00\x00\x01\x08\x08\x04\x04\x00\x00",
		"\xf0\x00\x03\x03six\x00\x00":          "\x05\x00\x00\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00",
		"\xf1\x00\x01\x08\x08\x04\x04\x00\x00": "\x05\x00\x00\x03\x0adns.google\x00\x00",
		"\xf0\x00\x03\x04five\x00\x00":         "\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00",
		"\xf1\x00\x03\x04name\x00\x00":         "\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00", // an address is needed
		"\xf1\x00\x03\x078.8.4.4\x00\x00":      "\x05\x00\x00\x03\x0adns.google\x00\x00",
	} {
		c := f.dial(t)
		send(t, c, "\x05\x01\x00\x05"+send4)
		if got, err := io.ReadAll(c); string(got) != "\x05\x00"+want || err != nil {
			t.Errorf("%q: answer %q, %v; want %q", send4, got, err, want)
		}
	}
}

func TestHTTPThatIsNotCONNECT(t *testing.T) {
	f := newFront(t, &socks.Server{})
	for request, status := range map[string]string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n":                                      "405",
		"CONNECT a HTTP/1.1\r\n\r\n":                                             "400",
		"CONNECT a:0 HTTP/1.1\r\n\r\n":                                           "400",
		"CONNECT a:80 HTTP/1.1\r\nProxy-Authorization: Bearer x\r\n\r\n":         "400",
		"CONNECT a:80 HTTP/1.1\r\nX: " + strings.Repeat("x", 9<<10) + "\r\n\r\n": "400",
	} {
		c := f.dial(t)
		send(t, c, request)
		if got, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 "+status+" ") {
			t.Errorf("%.40q: answer %q, %v; want %s", request, got, err, status)
		}
	}
	if len(f.got) > 0 {
		t.Errorf("the handler was asked %+v", <-f.got)
	}
}

func TestSlowHandshakeIsClosed(t *testing.T) {
	f := newFront(t, &socks.Server{Handshake: 20 * time.Millisecond})
	for _, some := range []string{"", "\x05", "\x05\x01\x00\x05\x01", "CONNECT "} {
		c := f.dial(t)
		send(t, c, some)
		if _, err := io.ReadAll(c); err != nil {
			t.Errorf("%q: %v, not closed", some, err)
		}
	}
}

func TestTooManyApps(t *testing.T) {
	f := newFront(t, &socks.Server{Conns: 1})
	first := f.dial(t)
	send(t, first, "\x05\x01\x00")
	io.ReadFull(first, make([]byte, 2)) // it is served
	second := f.dial(t)
	if b, err := io.ReadAll(second); len(b) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the second read %q, %v", b, err)
	}
}

func send(t testing.TB, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
}

// An app that hangs up while it waits is waited for no longer; what it has sent by then
// makes no difference.
func TestAnAppThatHangsUpIsNoticed(t *testing.T) {
	const hello = "\x05\x01\x00\x05\x01\x00\x03\x0bexample.com\x01\xbb"
	for name, said := range map[string]string{
		"SOCKS": hello, "early data": hello + "early", "HTTP": "CONNECT example.com:443 HTTP/1.1\r\n\r\n",
		"a look-up": "\x05\x01\x00\x05\xf0\x00\x03\x01a\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			asked, over := make(chan bool, 1), make(chan error, 1)
			wait := func(ctx context.Context) error {
				asked <- true
				select {
				case <-ctx.Done():
				case <-time.After(5 * time.Second):
				}
				over <- ctx.Err()
				return errors.New("there is no circuit")
			}
			f := newFront(t, &socks.Server{
				Connect: func(ctx context.Context, _ socks.Request) (net.Conn, error) { return nil, wait(ctx) },
				Resolve: func(ctx context.Context, _ socks.Request) (socks.Answer, error) { return socks.Answer{}, wait(ctx) },
			})
			c := f.dial(t)
			send(t, c, said)
			<-asked
			c.Close()
			if err := <-over; !errors.Is(err, context.Canceled) {
				t.Errorf("the handler goes on: %v", err)
			}
		})
	}
}

// One that waits is not taken for one that is gone, whatever it sends meanwhile.
func TestAnAppThatWaitsIsServed(t *testing.T) {
	early := strings.Repeat("early ", 5000) // more than is looked at
	begun, through := make(chan bool, 1), make(chan bool)
	far := make(chan net.Conn, 1)
	f := newFront(t, &socks.Server{Connect: func(ctx context.Context, _ socks.Request) (net.Conn, error) {
		begun <- true
		<-through
		near, there, err := pair()
		far <- there
		return near, errors.Join(err, ctx.Err())
	}})
	c := f.dial(t).(*net.TCPConn)
	send(t, c, "\x05\x01\x00\x05\x01\x00\x03\x0bexample.com\x01\xbb")
	<-begun
	send(t, c, early)
	close(through)
	there := <-far
	defer there.Close()
	send(t, c, "late")
	c.CloseWrite()
	if got, err := io.ReadAll(there); string(got) != early+"late" || err != nil {
		t.Errorf("the target read %d bytes, %v; want %d", len(got), err, len(early)+4)
	}
}
