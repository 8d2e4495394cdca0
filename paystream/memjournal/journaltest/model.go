package journaltest

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/el-tor/tops/paystream"
)

// model runs random histories of one payee: payments arrive once or again, as
// credit, late or unclaimed, for any of a few pay streams. Whatever the order,
// a journal and a map agree.
func model(t *testing.T, j Journal) {
	base := 0 // every history has payments and pay streams of its own
	var at paystream.Position
	rapid.Check(t, func(rt *rapid.T) {
		base += 100
		kinds := make(map[string]paystream.BookingKind)
		balance := make(map[paystream.Handle]int64)
		amounts := make(map[string]int64)
		var streams []paystream.PayeeRecord
		for n := range 3 {
			streams = append(streams, PayeeStream(base+n))
		}
		if _, err := j.CommitPayee(t.Context(), paystream.PayeeBatch{Streams: streams}); err != nil {
			rt.Fatal(err)
		}
		for range rapid.IntRange(1, 12).Draw(rt, "batches") {
			var b paystream.PayeeBatch
			var wantKnown []string
			b.PayIndex = rapid.Uint64Range(0, 1<<20).Draw(rt, "pay_index")
			b.PaymentHash, b.PaidAt = PaymentHash(base), now().Add(time.Duration(b.PayIndex))
			b.Rewind = rapid.IntRange(0, 5).Draw(rt, "rewind") == 0
			if b.Rewind || b.PayIndex > at.PayIndex {
				at = b.Position
			}
			for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(0, 9), 0, 5, rapid.ID).Draw(rt, "payments") {
				h := streams[rapid.IntRange(0, 2).Draw(rt, "pay stream")].Handle
				kind := rapid.SampledFrom([]paystream.BookingKind{paystream.BookedCredit, paystream.BookedLate,
					paystream.BookedUnclaimed}).Draw(rt, "kind")
				if kind == paystream.BookedUnclaimed {
					h = ""
				}
				k := booking(base+n, kind, h, int64(n+1))
				b.Bookings = append(b.Bookings, k)

				switch old := kinds[k.PaymentHash]; {
				case old == paystream.BookedCredit || old == paystream.BookedLate:
					wantKnown = append(wantKnown, k.PaymentHash)
				case kind == paystream.BookedCredit:
					balance[h] += k.AmountMsat
					fallthrough
				default:
					kinds[k.PaymentHash], amounts[k.PaymentHash] = kind, k.AmountMsat
				}
			}
			known, err := j.CommitPayee(t.Context(), b)
			if err != nil {
				rt.Fatal(err)
			}
			same(rt, "known", wantKnown, known)
		}
		st := loadPayee(t, j)
		same(rt, "position", at, st.Position)
		unclaimed := make(map[string]int64)
		for _, s := range st.Unclaimed {
			unclaimed[s.PaymentHash] = s.AmountMsat
		}
		for hash, kind := range kinds {
			got, is := unclaimed[hash]
			if want := kind == paystream.BookedUnclaimed; is != want || is && got != amounts[hash] {
				rt.Errorf("payment %s, booked as %s: among the unclaimed %v with %d msat", hash, kind, is, got)
			}
		}
		for _, r := range st.Streams {
			if want := balance[r.Handle]; r.BalanceMsat != want {
				rt.Errorf("balance of %s = %d, want %d", r.Handle, r.BalanceMsat, want)
			}
		}
		// Out of the way of the next history.
		for i := range streams {
			streams[i].Closed = now().Add(-24 * time.Hour)
		}
		if _, err := j.CommitPayee(t.Context(), paystream.PayeeBatch{Streams: streams}); err != nil {
			rt.Fatal(err)
		}
	})
}
