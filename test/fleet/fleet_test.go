package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/internal/clock"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
	"golang.org/x/sync/errgroup"
)

// carrier serves nobody.
type carrier struct{}

func (carrier) Allow(paystream.Handle, int64)           {}
func (carrier) Stop(paystream.Handle, paystream.Reason) {}
func (carrier) Move(paystream.Handle, paystream.Handle) {}
func (carrier) Used(paystream.Handle) int64             { return 0 }
func (carrier) Pause(bool)                              {}

// relay is one of the fleet.
type relay struct {
	fingerprint, place, node string
	gateway                  netip.AddrPort

	*paystream.Payee
	books *ledger.Ledger
	stop  func() error
}

// start starts it, for the first time or again.
func (r *relay) start(t *testing.T) {
	t.Helper()
	var err error
	if r.books, err = ledger.Open(t.Context(), r.place); err != nil {
		t.Fatal(err)
	}
	node := cln.NewClient(r.node)
	now := clock.New().Now
	receiver := cln.NewReceiver(node, cln.ReceiverOptions{Now: now})
	offer, err := receiver.Offer(t.Context(), "fleet "+r.fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	terms := policies.DefaultTerms(r.fingerprint, policies.Descriptor{Kind: policies.Offer, Value: offer.Bolt12}, r.gateway)
	r.Payee = paystream.NewPayee(paystream.PayeeConfig{
		Terms: terms, Carrier: carrier{}, Receiver: receiver, Journal: r.books, Now: now,
		Ours:      func(id string) bool { return id == offer.ID },
		OursPlain: func(description string) bool { return description == paystream.InvoiceDescription(terms) },
	})
	if err := r.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = func() error {
		cancel()
		err := <-done
		if errors.Is(err, context.Canceled) {
			err = nil
		}
		return errors.Join(err, r.Checkpoint(context.WithoutCancel(ctx)), node.Close(), r.books.Close())
	}
}

// ask is the intent, whose answer tells what has been paid. A relay that has
// forgotten an unpaid one is told again by it, as every payer does.
func (r *relay) ask(t *testing.T, h paystream.PaymentIDHash) (paystream.View, error) {
	return r.Admit(t.Context(), paystream.Intent{Hash: h, TermsHash: r.Terms().Hash()})
}

// TestOneNode has the pay streams of three relays paid at once, by offers and by
// plain invoices, while one relay ends and starts again. Each books what is its own.
func TestOneNode(t *testing.T) {
	const (
		relays, streams = 3, 8
		priceMsat       = 1000
		strayMsat       = 77
	)
	sim := clnsim.NewWorld(clnsim.Options{})
	t.Cleanup(sim.Close)
	dir := t.TempDir()
	for _, name := range []string{"payer", "shared"} {
		if err := sim.AddNode(name, clnsim.NodeOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := sim.Start(name, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := sim.SetFaults("shared", clnsim.Faults{UnlimitedOnion: true}); err != nil {
		t.Fatal(err)
	}
	place := places(t)
	fleet := make([]*relay, relays)
	for i := range fleet {
		fleet[i] = &relay{
			fingerprint: strings.Repeat(string(rune('A'+i)), 40), place: place(fmt.Sprintf("relay%d", i)), node: filepath.Join(dir, "shared"),
			gateway: netip.MustParseAddrPort(fmt.Sprintf("203.0.113.%d:9402", i+1)),
		}
		fleet[i].start(t)
		t.Cleanup(func() {
			if err := fleet[i].stop(); err != nil {
				t.Error(err)
			}
		})
	}
	node := cln.NewClient(filepath.Join(dir, "payer"))
	defer node.Close()

	// Each is paid three rounds: two by its offer, one by a plain invoice; and
	// somebody pays a note that fits nobody's pay stream.
	hashes := map[paystream.PaymentIDHash]int{}
	var g errgroup.Group
	g.SetLimit(6)
	for i, r := range fleet {
		offer := r.Terms().Descriptor.Value
		for range streams {
			h := paystream.NewPreimage().Hash()
			hashes[h] = i
			until(t, func() string { // a relay admits nobody before it has heard of its node
				if _, err := r.ask(t, h); err != nil {
					return fmt.Sprintf("relay %d: %v", i, err)
				}
				return ""
			})
			plain, err := r.Invoice(t.Context(), h, 4, priceMsat)
			if err != nil {
				t.Fatal(err)
			}
			for _, round := range []int{2, 3} {
				note := string(h.RoundID(r.Terms().Hash(), round))
				g.Go(func() error { return payOffer(t.Context(), node, offer, note, priceMsat) })
			}
			g.Go(func() error { return pay(t.Context(), node, plain) })
		}
		g.Go(func() error { return payOffer(t.Context(), node, offer, strings.Repeat("5a", 32), strayMsat) })
	}
	if err := fleet[0].stop(); err != nil {
		t.Fatal(err)
	}
	fleet[0].start(t)
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for h, i := range hashes {
		until(t, func() string {
			v, err := fleet[i].ask(t, h)
			if err != nil || v.BalanceMsat != 3*priceMsat {
				return fmt.Sprintf("relay %d, %s: balance %d, %v; want %d", i, v.Handle, v.BalanceMsat, err, 3*priceMsat)
			}
			return ""
		})
	}
	for i, r := range fleet {
		until(t, func() string {
			got, err := r.books.Totals(t.Context())
			if err != nil || got.EarnedMsat != streams*3*priceMsat || got.UnclaimedMsat != strayMsat || got.LateMsat != 0 {
				return fmt.Sprintf("the books of relay %d have %+v, %v; want %d credited and %d unclaimed", i, got, err, streams*3*priceMsat, strayMsat)
			}
			return ""
		})
		if err := r.books.Verify(t.Context()); err != nil {
			t.Errorf("relay %d: %v", i, err)
		}
	}
}

// payOffer pays an offer with a note.
func payOffer(ctx context.Context, node *cln.Client, offer, note string, amountMsat int64) error {
	var fetched struct {
		Invoice string `json:"invoice"`
	}
	err := node.Call(ctx, "fetchinvoice", map[string]any{"offer": offer, "amount_msat": amountMsat, "payer_note": note}, &fetched)
	if err != nil {
		return err
	}
	return pay(ctx, node, fetched.Invoice)
}

func pay(ctx context.Context, node *cln.Client, invoice string) error {
	var paid any
	return node.Call(ctx, "xpay", map[string]any{"invstring": invoice}, &paid)
}

// until waits until nothing is wrong any more.
func until(t *testing.T, wrong func() string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		text := wrong()
		if text == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatal(text)
		}
	}
}
