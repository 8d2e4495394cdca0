package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/testnet"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// The tests have a network of their own, where they may have any address: what
// an exit connects to is tried, not argued.
func TestMain(m *testing.M) {
	if err := testnet.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

var testTerms = policies.DefaultTerms("0123456789ABCDEF0123456789ABCDEF01234567",
	policies.Descriptor{Kind: policies.Offer, Value: "lno1example"}, netip.MustParseAddrPort("203.0.113.9:9402"))

// payee is a Payee that admits everybody, unless a test says otherwise.
type payee struct {
	carrier paystream.Carrier

	mu     sync.Mutex
	known  map[paystream.PaymentIDHash]paystream.View
	fail   map[paystream.PaymentIDHash]error            // answered to every question
	counts map[paystream.PaymentIDHash]paystream.Handle // pay streams whose tunnels count to another
	free   int64                                        // allowance of a new pay stream
	terms  policies.Terms
	opened []paystream.Intent
}

func newPayee(c paystream.Carrier) *payee {
	return &payee{carrier: c, known: make(map[paystream.PaymentIDHash]paystream.View),
		fail: make(map[paystream.PaymentIDHash]error), counts: make(map[paystream.PaymentIDHash]paystream.Handle), free: 1 << 40, terms: testTerms}
}

func (p *payee) Terms() policies.Terms { return p.terms }

func (p *payee) Admit(_ context.Context, in paystream.Intent) (paystream.View, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened = append(p.opened, in)
	if err := p.fail[in.Hash]; err != nil {
		return paystream.View{}, err
	}
	if in.TermsHash != p.terms.Hash() {
		return paystream.View{}, &paystream.TermsChanged{Terms: p.terms}
	}
	if v, ok := p.known[in.Hash]; ok {
		return v, nil
	}
	h := in.Hash.Handle()
	if c := in.Continues; c != nil { // it begins later
		p.counts[in.Hash] = c.Hash.Handle()
	} else {
		p.carrier.Allow(h, p.free)
	}
	p.known[in.Hash] = paystream.View{Handle: h, Round: 1, DueMsat: 1000, DueIn: time.Minute, LateIn: time.Minute, Allowance: p.free}
	return p.known[in.Hash], nil
}

func (p *payee) View(_ context.Context, h paystream.PaymentIDHash) (paystream.View, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.fail[h]; err != nil {
		return paystream.View{}, err
	}
	v, ok := p.known[h]
	if !ok {
		return v, paystream.ErrUnknown
	}
	v.Bytes = p.carrier.Used(v.Handle)
	return v, nil
}

func (p *payee) End(ctx context.Context, h paystream.PaymentIDHash, pre paystream.Preimage) (paystream.View, error) {
	v, err := p.View(ctx, h)
	if err == nil && pre.Hash() != h {
		err = paystream.ErrPreimage
	}
	if err == nil {
		p.carrier.Stop(v.Handle, paystream.ReasonClient)
	}
	return v, err
}

func (p *payee) Invoice(ctx context.Context, h paystream.PaymentIDHash, round int, amountMsat int64) (string, error) {
	if _, err := p.View(ctx, h); err != nil {
		return "", err
	}
	if round == 9 {
		return "", paystream.ErrPaid
	}
	return "lnbc1example", nil
}

func (p *payee) Authorize(ctx context.Context, h paystream.PaymentIDHash) (paystream.Handle, error) {
	v, err := p.View(ctx, h)
	p.mu.Lock()
	defer p.mu.Unlock()
	if other, ok := p.counts[h]; ok && err == nil {
		return other, nil
	}
	return v.Handle, err
}

// begin lets the pay stream that continues another begin.
func (p *payee) begin(old, next paystream.PaymentIDHash) {
	p.carrier.Move(old.Handle(), next.Handle())
	p.carrier.Allow(next.Handle(), p.free)
	p.carrier.Stop(old.Handle(), paystream.ReasonCompleted)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.counts, next)
}

func (p *payee) failWith(h paystream.PaymentIDHash, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail[h] = err
}

// toOne is a dialer that takes every tunnel to one address of the test, which
// the real exit refuses to connect to.
type toOne struct{ addr string }

func (d toOne) Dial(ctx context.Context, _ gateway.Target) (*net.TCPConn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", d.addr)
	if err != nil {
		return nil, &gateway.TargetError{Code: gateway.TargetRefused}
	}
	return c.(*net.TCPConn), nil
}

func fromLoopback(a netip.Addr) bool { return a == netip.MustParseAddr("127.0.0.1") }

// world is a gateway, its payee, a target and a client, all real but the payee.
type world struct {
	server *gateway.Server
	payee  *payee
	client *gateway.Client
	addr   string
	target *net.TCPListener
	hash   paystream.PaymentIDHash
	intent paystream.Intent
	pre    paystream.Preimage
}

func newWorld(t testing.TB, change func(*gateway.Config)) *world {
	t.Helper()
	target := listen(t)
	cfg := gateway.Config{Dial: toOne{target.Addr().String()}, Source: fromLoopback}
	if change != nil {
		change(&cfg)
	}
	w := &world{server: gateway.NewServer(cfg), target: target, pre: paystream.NewPreimage()}
	w.payee = newPayee(w.server)
	w.server.SetPayee(w.payee)
	w.hash = w.pre.Hash()
	w.intent = paystream.Intent{Hash: w.hash, TermsHash: testTerms.Hash()}
	ln := listen(t)
	w.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.server.Serve(ctx, ln) }()
	w.client = gateway.NewClient(w.dial)
	t.Cleanup(func() {
		w.client.Close()
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Error("Serve did not return")
		}
	})
	return w
}

func (w *world) dial(ctx context.Context) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", w.addr)
}

func listen(t testing.TB) *net.TCPListener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.(*net.TCPListener)
}

// each handles every connection.
func each(ln net.Listener, handle func(net.Conn)) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			handle(c)
		}()
	}
}

func (w *world) open(t testing.TB) paystream.Answer {
	t.Helper()
	a, err := w.client.Open(t.Context(), w.intent)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// tunnel opens a tunnel and returns both of its ends.
func (w *world) tunnel(t testing.TB) (near, far *net.TCPConn) {
	t.Helper()
	c, err := w.client.Connect(t.Context(), w.hash, "example.com:443")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn), w.accept(t)
}

// accept returns the target's end of the next tunnel.
func (w *world) accept(t testing.TB) *net.TCPConn {
	t.Helper()
	w.target.SetDeadline(time.Now().Add(5 * time.Second))
	c, err := w.target.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(10 * time.Second)) // a test that hangs should say where
	t.Cleanup(func() { c.Close() })
	return c
}

func mustWrite(t testing.TB, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t testing.TB, r io.Reader, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatalf("read %q, %v; want %q", b, err, want)
	}
	if string(b) != want {
		t.Fatalf("read %q, want %q", b, want)
	}
}

// ends waits for the end of a connection and says whether it came within d.
func ends(c *net.TCPConn, d time.Duration) bool {
	c.SetReadDeadline(time.Now().Add(d))
	for {
		if _, err := c.Read(make([]byte, 4096)); err != nil {
			var timeout net.Error
			return !(errors.As(err, &timeout) && timeout.Timeout())
		}
	}
}

// eventually waits for a condition that another goroutine is about to meet.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}
