package gateway_test

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
)

// Who pays nothing gets the free bytes, however many connections ask for them, and
// is cut when the first priced round is late; no way back in is left.
func TestNothingIsServedUnpaid(t *testing.T) {
	const interval, conns = time.Second, 20
	r := newRelay(t, interval)
	go each(r.target, sendForEver)
	client := gateway.NewClient(r.dial)
	defer client.Close()
	pre := paystream.NewPreimage()
	in := paystream.Intent{Hash: pre.Hash(), TermsHash: r.terms.Hash()}
	begin := time.Now()
	if _, err := client.Open(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	var got atomic.Int64
	var readers sync.WaitGroup
	for range conns {
		c, err := client.Connect(t.Context(), in.Hash, "example.com:443")
		var out *paystream.Demand
		if errors.As(err, &out) { // every byte is used already
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		readers.Go(func() {
			n, err := io.Copy(io.Discard, onlyReader{c})
			got.Add(n)
			var timeout interface{ Timeout() bool }
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Error("a connection outlives its pay stream")
			}
		})
	}
	readers.Wait()
	took, most := time.Since(begin), r.terms.FreeBytes
	t.Logf("%d of %d free bytes, cut after %v", got.Load(), most, took.Round(time.Millisecond))
	if n := got.Load(); n > most || n < most/2 {
		t.Errorf("%d bytes came, %d are free", n, most)
	}
	if due := interval + r.terms.Grace; took < due {
		t.Errorf("cut after %v, the first priced round is late after %v", took, due)
	}

	var over *paystream.Demand
	if c, err := client.Connect(t.Context(), in.Hash, "example.com:443"); !errors.As(err, &over) || over.DueMsat != 0 || over.Reason != paystream.ReasonLate {
		t.Errorf("CONNECT afterwards: %v, %v; want 402 with nothing due, LATE", c, err)
	}
	if _, err := client.Open(t.Context(), in); !errors.Is(err, paystream.ErrRetired) {
		t.Errorf("the same intent again: %v, want %v", err, paystream.ErrRetired)
	}
	next := paystream.Intent{Hash: paystream.NewPreimage().Hash(), TermsHash: in.TermsHash, Continues: &paystream.Continuation{Hash: in.Hash, Preimage: pre}}
	if a, err := client.Open(t.Context(), next); err == nil {
		t.Errorf("what was not paid is continued: %+v", a)
	}
	// Money that comes now is booked, and buys nothing.
	r.node.pay(in.Hash.RoundID(in.TermsHash, 2), r.terms.RateMsat)
	books, err := ledger.OpenReader(t.Context(), r.books)
	if err != nil {
		t.Fatal(err)
	}
	defer books.Close()
	eventually(t, "the late payment to be booked", func() bool {
		totals, err := books.Totals(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return totals.LateMsat+totals.UnclaimedMsat == r.terms.RateMsat && totals.EarnedMsat == 0
	})
	if c, err := client.Connect(t.Context(), in.Hash, "example.com:443"); !errors.As(err, &over) {
		t.Errorf("CONNECT after a late payment: %v, %v", c, err)
	}
}
