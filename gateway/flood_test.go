package gateway_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// node is a Lightning node to which everybody pays at once.
type node struct {
	index atomic.Uint64
	paid  chan paystream.Settlement
}

func (n *node) Run(ctx context.Context, _ paystream.Position, sink paystream.Sink) error {
	for {
		select {
		case s := <-n.paid:
			if err := sink.Deliver(ctx, []paystream.Settlement{s}); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (n *node) Sync(context.Context) (time.Time, error) { return time.Now(), nil }

func (n *node) Invoice(context.Context, string, int64, string) (string, error) {
	return "", errors.New("no invoices here")
}

func (n *node) DeleteInvoice(context.Context, string) error { return nil }

// pay settles a payment under a note.
func (n *node) pay(note paystream.RoundID, msat int64) {
	var hash [32]byte
	rand.Read(hash[:])
	n.paid <- paystream.Settlement{PayIndex: n.index.Add(1), PaymentHash: hex.EncodeToString(hash[:]), Note: string(note), OfferID: "ours",
		AmountMsat: msat, PaidAt: time.Now()}
}

// relay is a gateway with the payee that a relay has, and its books on disk.
type relay struct {
	*world
	engine *paystream.Payee
	node   *node
	terms  policies.Terms
	books  string
}

const maxFree, maxNewcomers = 200, 400

func newRelay(t testing.TB, interval time.Duration) *relay {
	t.Helper()
	r := &relay{world: newWorld(t, func(c *gateway.Config) { c.PayStreamRate = 1e9 }), node: &node{paid: make(chan paystream.Settlement, 64)},
		terms: testTerms, books: filepath.Join(t.TempDir(), "ledger.db")}
	r.terms.Interval, r.terms.Grace, r.terms.FeeMsat = interval, interval, 500
	books, err := ledger.Open(t.Context(), r.books)
	if err != nil {
		t.Fatal(err)
	}
	ladder := &paystream.Ladder{MaxFree: maxFree, MaxNewcomers: maxNewcomers}
	r.engine = paystream.NewPayee(paystream.PayeeConfig{
		Terms: r.terms, Carrier: r.server, Receiver: r.node, Journal: books,
		Ours: func(id string) bool { return id == "ours" }, Now: time.Now, Opening: ladder.Opening,
	})
	r.server.SetPayee(r.engine)
	if err := r.engine.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- r.engine.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, books.Close()); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	eventually(t, "the payee to know its node", func() bool {
		in := paystream.Intent{Hash: paystream.NewPreimage().Hash(), TermsHash: r.terms.Hash()}
		_, err := r.engine.Admit(t.Context(), in)
		return err == nil
	})
	return r
}

// honest is a payer that pays each round in time and uses one tunnel.
type honest struct {
	hash   paystream.PaymentIDHash
	client *gateway.Client
	tunnel net.Conn
	paid   int64
}

func (r *relay) honest(t testing.TB) *honest {
	t.Helper()
	h := &honest{hash: paystream.NewPreimage().Hash(), client: gateway.NewClient(r.dial)}
	t.Cleanup(func() { h.client.Close() })
	if _, err := h.client.Open(t.Context(), paystream.Intent{Hash: h.hash, TermsHash: r.terms.Hash()}); err != nil {
		t.Fatal(err)
	}
	var err error
	if h.tunnel, err = h.client.Connect(t.Context(), h.hash, "example.com:443"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.tunnel.Close() })
	return h
}

// live pays and uses the tunnel until ctx ends.
func (h *honest) live(ctx context.Context, r *relay) error {
	for round := 2; ; round++ {
		r.node.pay(h.hash.RoundID(r.terms.Hash(), round), r.terms.RateMsat)
		h.paid += r.terms.RateMsat
		for end := time.Now().Add(r.terms.Interval); time.Now().Before(end); {
			h.tunnel.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err := h.tunnel.Write([]byte("ping")); err != nil {
				return fmt.Errorf("round %d: %w", round, err)
			}
			if _, err := io.ReadFull(h.tunnel, make([]byte, 4)); err != nil {
				return fmt.Errorf("round %d: %w", round, err)
			}
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// flood sends intents that nobody will pay for, each over a connection of its
// own, as fast as it can, until ctx ends. It counts them by the answer's status.
func (r *relay) flood(ctx context.Context, senders int) (answers map[string]int, total int) {
	var mu sync.Mutex
	answers = make(map[string]int)
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for ctx.Err() == nil {
				status := r.intent(ctx)
				mu.Lock()
				answers[status]++
				total++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return answers, total
}

func (r *relay) intent(ctx context.Context) string {
	conn, err := r.dial(context.WithoutCancel(ctx))
	if err != nil {
		return "none"
	}
	conn.(*net.TCPConn).SetLinger(0) // no port is left waiting
	defer conn.Close()
	body := fmt.Sprintf(`{"payment_id_hash":"%s","terms_hash":"%s"}`, paystream.NewPreimage().Hash().Hex(), r.terms.Hash())
	fmt.Fprintf(conn, "POST /tops/v1/paystreams HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	var head [12]byte
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return "none"
	}
	return string(head[9:])
}

// onDisk is everything in the files of the books.
func (r *relay) onDisk(t testing.TB) (all []byte) {
	t.Helper()
	names, err := filepath.Glob(r.books + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(name) != ".db-shm" { // shared memory, where readers leave marks
			all = append(all, b...)
		}
	}
	return all
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A flood of intents straight at the gateway: those who pay are credited and not
// cut, memory and free pay streams stay within their limits, and nothing of it is
// written to the disk. Beside it others hold connections open and say nothing.
func TestFloodOfIntents(t *testing.T) {
	const senders, silent, length = 16, 700, 5 * time.Second
	r := newRelay(t, 3*time.Second)
	go each(r.target, func(c net.Conn) { io.Copy(c, c) })
	var payers []*honest
	for range 5 {
		payers = append(payers, r.honest(t))
	}
	var mute []net.Conn
	for range silent { // more than there is room for
		if c, err := r.dial(t.Context()); err == nil {
			mute = append(mute, c)
		}
	}

	before, files := heap(), r.onDisk(t)
	_, total := r.flood(after(t, time.Second), senders)
	if !bytes.Equal(files, r.onDisk(t)) {
		t.Errorf("%d intents that nobody paid for changed the books", total)
	}

	ctx := after(t, length)
	var g errgroup.Group
	for _, p := range payers {
		g.Go(func() error { return p.live(ctx, r) })
	}
	answers, total := r.flood(ctx, senders)
	if err := g.Wait(); err != nil {
		t.Errorf("an honest tunnel: %v", err)
	}
	grown := int64(heap()) - int64(before)
	load := r.engine.Load()
	t.Logf("%.0f intents/s; answers %v; load %+v; %d kB of memory more", float64(total)/length.Seconds(), answers, load, grown>>10)

	for i, p := range payers {
		eventually(t, "the last payment to be credited", func() bool {
			a, err := p.client.View(t.Context(), p.hash)
			return err == nil && a.BalanceMsat == p.paid
		})
		if _, err := p.client.Connect(t.Context(), p.hash, "example.com:443"); err != nil {
			t.Errorf("honest payer %d: %v", i+1, err)
		}
	}
	if load.Free > maxFree {
		t.Errorf("%d free pay streams at once, %d are allowed", load.Free, maxFree)
	}
	if answers["402"] == 0 || answers["201"] > maxFree || answers["none"] > 0 {
		t.Errorf("answers %v: want each of them answered, no more than %d with 201", answers, maxFree)
	}
	if most := int64(32 << 20); grown > most {
		t.Errorf("the flood left %d bytes of memory in use, want less than %d", grown, most)
	}
	for _, c := range mute {
		c.Close()
	}
}

// after ends after d. It has no deadline: what is under way then ends as it would.
func after(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	timer := time.AfterFunc(d, cancel)
	t.Cleanup(func() { timer.Stop(); cancel() })
	return ctx
}

// BenchmarkConnectUnderFlood is how long a tunnel takes to be there, without and
// with a flood of intents beside it. The flood is in the same process: it takes as
// much of the processors as the gateway does.
func BenchmarkConnectUnderFlood(b *testing.B) {
	const tunnels = 500
	r := newRelay(b, time.Minute)
	go each(r.target, func(c net.Conn) { io.Copy(c, c) })
	h := r.honest(b)
	p99 := func() float64 {
		var took []time.Duration
		for range tunnels {
			start := time.Now()
			c, err := h.client.Connect(b.Context(), h.hash, "example.com:443")
			if err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(start))
			c.Close()
		}
		slices.Sort(took)
		return float64(took[len(took)*99/100].Microseconds()) / 1000
	}
	var quiet, flooded, rate float64
	for b.Loop() {
		quiet = max(quiet, p99())
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan struct{})
		start, total := time.Now(), 0
		go func() {
			defer close(done)
			_, total = r.flood(ctx, 16)
		}()
		flooded = max(flooded, p99())
		cancel()
		<-done
		rate = float64(total) / time.Since(start).Seconds()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(quiet, "ms-p99")
	b.ReportMetric(flooded, "ms-p99-flooded")
	b.ReportMetric(rate, "intents/s")
}
