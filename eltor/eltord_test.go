package eltor_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/eltor/eltorsim"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// Doubles of eltord, El Tor's daemon, made from its observed behaviour: a payer that
// pays each id of a hop by its offer, the first at once and the next every 45
// seconds; a relay that gives each id its minute and then fifteen seconds, asks its
// node every three, looks at no amount, and ends the circuit of whoever is late. A
// minute is shorter here: for the relay 4 seconds, since the time that a payment
// takes is not.
const (
	minute  = 2 * time.Second
	pace    = minute * 45 / 60
	longer  = 4 * time.Second
	polling = longer * 3 / 60
)

// eltordPays builds a circuit as eltord does, by a bare connection, and pays what it
// believes that the relays ask.
func eltordPays(t *testing.T, client *eltorsim.Tor, rpc string, rounds int, path ...string) (ended func() bool) {
	t.Helper()
	conn, err := tor.Dial(t.Context(), tor.Options{Address: client.Address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := conn.Do(t.Context(), "SETEVENTS CIRC"); err != nil {
		t.Fatal(err)
	}
	var data string
	offers, ids := make([]string, len(path)), make([][]paystream.RoundID, len(path))
	rates := make([]int64, len(path))
	for i, fp := range path {
		p := eltor.NewPayload()
		data += fp + " " + p.String() + "\n"
		ids[i] = p.RoundIDs
		reply, err := conn.Do(t.Context(), "GETINFO desc/id/"+fp)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(reply.Values()["desc/id/"+fp]) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch key {
			case "PaymentBolt12Offer":
				offers[i] = value
			case "PaymentRateMsats":
				fmt.Sscan(value, &rates[i])
			}
		}
	}
	if _, err := conn.DoBlock(t.Context(), controlspec.Command{Name: "EXTENDPAIDCIRCUIT", Args: "0", Block: true, Data: data}); err != nil {
		t.Fatal(err)
	}
	wallet := cln.NewWallet(cln.NewClient(rpc), cln.WalletOptions{Unpaced: true})
	var done sync.WaitGroup
	t.Cleanup(done.Wait)
	done.Go(func() {
		next := time.NewTicker(pace)
		defer next.Stop()
		for round := range rounds {
			for i := range path {
				if rates[i] == 0 || offers[i] == "" {
					continue
				}
				if err := payOnce(t.Context(), wallet, offers[i], ids[i][round], rates[i]); err != nil {
					t.Errorf("round %d: %v", round+1, err)
				}
			}
			select {
			case <-next.C:
			case <-t.Context().Done():
				return
			}
		}
	})
	var mu sync.Mutex
	closed := false
	done.Go(func() {
		for {
			e, err := conn.NextEvent(context.Background())
			if err != nil {
				return
			}
			if c, err := controlspec.ParseCirc(e.Lines[0].Text); err == nil && c.Status == "CLOSED" {
				mu.Lock()
				closed = true
				mu.Unlock()
			}
		}
	})
	t.Cleanup(func() { conn.Close() })
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		return closed
	}
}

func payOnce(ctx context.Context, w *cln.Wallet, offer string, note paystream.RoundID, msat int64) error {
	inv, err := w.FetchInvoice(ctx, paystream.InvoiceRequest{
		Descriptor: policies.Descriptor{Kind: policies.Offer, Value: offer}, AmountMsat: msat, Note: note,
		Metadata: string(note), Timeout: 2 * time.Second,
	})
	if err == nil {
		_, err = w.Pay(ctx, paystream.PayRequest{Invoice: inv, MaxFeeMsat: msat, RetryFor: time.Second})
	}
	return err
}

// TestEltordPays: a relay of ours is paid by eltord, ten rounds.
func TestEltordPays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	exit := w.relay(t, "exit", eltorsim.B)
	ours := w.run(t, "relay", exit, w.node(t, "payee"), short)
	guard, middle := w.relay(t, "guard", eltorsim.B), w.relay(t, "middle", eltorsim.A)
	client := w.client(t, eltorsim.B)
	serving(t, exit)
	eltordPays(t, client, w.node(t, "payer"), 10, guard.Fingerprint, middle.Fingerprint, exit.Fingerprint)
	until(t, "the pay stream to be completed", 12*minute, func() bool {
		for _, s := range ours.status(t).PayStreams {
			if s.Status == paystream.StatusCompleted && s.PaidThrough == 10 && s.PaidMsat == 10_000 {
				return true
			}
			if s.Status == paystream.StatusClosed {
				t.Fatalf("it was cut: %+v", s)
			}
		}
		return false
	})
	if st := ours.status(t); st.Totals.EarnedMsat != 10_000 || st.Totals.UnclaimedMsat != 0 {
		t.Errorf("the books: %+v", st.Totals)
	}
}

// TestEltordStopsPaying: after three rounds that were paid the circuit is ended, and
// not before the grace is over.
func TestEltordStopsPaying(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	exit := w.relay(t, "exit", eltorsim.B)
	ours := w.run(t, "relay", exit, w.node(t, "payee"), short)
	guard := w.relay(t, "guard", eltorsim.B)
	client := w.client(t, eltorsim.B)
	serving(t, exit)
	begin := time.Now()
	ended := eltordPays(t, client, w.node(t, "payer"), 2, guard.Fingerprint, exit.Fingerprint)
	until(t, "the circuit to be ended", 20*time.Second, ended)
	if took := time.Since(begin); took < 7900*time.Millisecond {
		t.Errorf("two rounds of 2 s were paid, and the third may be 2 s late; it was ended after %s", took)
	}
	st := ours.status(t)
	if st.Native.Ended != 1 || st.Totals.EarnedMsat != 2000 {
		t.Errorf("%+v, %+v", st.Native, st.Totals)
	}
	if s := st.PayStreams[0]; s.Reason != paystream.ReasonLate || s.PaidThrough != 2 {
		t.Errorf("%+v", s)
	}
}

// eltordRelay watches the payments for each id of one circuit through a relay, and
// ends it when one is late. It says which ids were paid in time.
type eltordRelay struct {
	t    *testing.T
	w    *world
	conn *tor.Conn // for its commands
	done sync.WaitGroup

	mu     sync.Mutex
	onTime int
	late   []string
}

func newEltordRelay(t *testing.T, w *world, relay *eltorsim.Tor, rpc string) *eltordRelay {
	t.Helper()
	r := &eltordRelay{t: t, w: w}
	o := tor.Options{Address: relay.Address}
	var err error
	if r.conn, err = tor.Dial(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	sink := &notes{paid: make(map[string]bool)}
	ctx, cancel := context.WithCancel(context.Background())
	r.done.Go(func() {
		_ = cln.NewReceiver(cln.NewClient(rpc), cln.ReceiverOptions{}).Run(ctx, paystream.Position{}, sink)
	})
	events, err := tor.DialLines(t.Context(), o, eltor.EventName, func(line []byte) {
		begin := time.Now()
		_, after, ok := strings.Cut(string(line), "PAYMENT_HASH=")
		circuit, _, _ := strings.Cut(strings.TrimPrefix(string(line), "650 EVENT_PAYMENT_ID_HASH_RECEIVED P_CIRC_ID="), " ")
		if !ok {
			t.Errorf("eltord reads dialect B's event alone: %.80q", line)
			return
		}
		for i := range 10 {
			r.done.Go(func() { r.watch(ctx, sink, after[128+64*i:192+64*i], circuit, i, begin) })
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); events.Close(); r.conn.Close(); r.done.Wait() })
	return r
}

// watch waits for one id: from its minute on, asking every so often.
func (r *eltordRelay) watch(ctx context.Context, sink *notes, id, circuit string, i int, begin time.Time) {
	wait := func(d time.Duration) bool {
		select {
		case <-time.After(d):
			return true
		case <-ctx.Done():
			return false
		}
	}
	if !wait(time.Until(begin.Add(time.Duration(i) * longer))) {
		return
	}
	for time.Since(begin) < time.Duration(i+1)*longer+longer*15/60 {
		if sink.has(id) {
			r.mu.Lock()
			r.onTime++
			r.mu.Unlock()
			return
		}
		if !wait(polling) {
			return
		}
	}
	r.mu.Lock()
	r.late = append(r.late, fmt.Sprintf("round %d", i+1))
	r.mu.Unlock()
	_, _ = r.conn.Do(context.WithoutCancel(ctx), "TEARDOWNCIRCUIT "+circuit)
}

func (r *eltordRelay) seen() (onTime int, late []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.onTime, r.late
}

// notes are the ids that were paid.
type notes struct {
	mu   sync.Mutex
	paid map[string]bool
}

func (n *notes) Deliver(_ context.Context, batch []paystream.Settlement) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range batch {
		n.paid[s.Note] = true
	}
	return nil
}

func (n *notes) Rewind(context.Context, paystream.Position) error { return nil }

func (n *notes) has(id string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.paid[id]
}

// TestEltordIsPaid: a client of ours satisfies relays of eltord, ten rounds.
func TestEltordIsPaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var relays []*eltordRelay
	for _, name := range []string{"guard", "middle", "exit"} {
		rpc := w.node(t, name)
		offer, err := cln.NewClient(rpc).MakeOffer(t.Context(), "eltord "+name)
		if err != nil {
			t.Fatal(err)
		}
		relay := w.relay(t, name, eltorsim.B, "PaymentBolt12Offer "+offer.Bolt12, "PaymentRateMsats 300", fmt.Sprintf("PaymentInterval %d", longer/time.Second))
		relays = append(relays, newEltordRelay(t, w, relay, rpc))
	}
	client := w.run(t, "client", w.client(t, eltorsim.B), w.node(t, "payer"), "[client]\nsocks = \"127.0.0.1:0\"\n")
	until(t, "ten rounds of each relay to be paid", 12*longer, func() bool {
		n := 0
		for _, r := range relays {
			onTime, late := r.seen()
			if len(late) > 0 {
				t.Fatalf("too late: %v", late)
			}
			n += onTime
		}
		return n == 30
	})
	until(t, "our pay streams to be completed", longer, func() bool {
		n := 0
		for _, s := range client.status(t).PayStreams {
			if s.Status == paystream.StatusCompleted {
				n++
			}
		}
		return n == 3
	})
}
