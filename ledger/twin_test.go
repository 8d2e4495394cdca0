package ledger_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal"
	"github.com/el-tor/tops/paystream/memjournal/journaltest"
)

// The ledger and its twin in memory do the same, whatever is asked of them, and
// whenever the process that has the ledger starts again. So what an engine's
// tests show with the twin holds on a disk.
func TestLedgerAndTwinAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		path := newPlace(t)
		l, err := ledger.Open(t.Context(), path)
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { l.Close() }()
		twin := memjournal.New()
		both := func(what string, do func(journaltest.Journal) (any, error)) {
			want, wantErr := do(twin)
			got, gotErr := do(l)
			if (wantErr == nil) != (gotErr == nil) {
				rt.Fatalf("%s: the twin says %v, the ledger %v", what, wantErr, gotErr)
			}
			if diff := gocmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{}), cmpopts.EquateEmpty()); diff != "" {
				rt.Fatalf("%s (-twin +ledger):\n%s", what, diff)
			}
		}
		for range rapid.IntRange(1, 10).Draw(rt, "steps") {
			switch rapid.IntRange(0, 4).Draw(rt, "step") {
			case 0:
				b := drawBatch(rt)
				both("CommitPayee", func(j journaltest.Journal) (any, error) { return j.CommitPayee(t.Context(), b) })
			case 1:
				r := journaltest.PayerStream(drawSmall(rt, "pay stream"))
				r.NoPay = rapid.Bool().Draw(rt, "no pay")
				r.PaidMsat, r.Opened, r.Closed = int64(drawSmall(rt, "paid")), drawTime(rt), drawTime(rt)
				both("SavePayStream", func(j journaltest.Journal) (any, error) { return nil, j.SavePayStream(t.Context(), r) })
			case 2, 3:
				p := drawPayment(rt)
				both("SavePayment", func(j journaltest.Journal) (any, error) { return nil, j.SavePayment(t.Context(), p) })
			case 4:
				if err := l.Close(); err != nil {
					rt.Fatal(err)
				}
				again, err := ledger.Open(t.Context(), path)
				if err != nil {
					rt.Fatal(err)
				}
				l = again
			}
		}
		since := drawTime(rt)
		both("LoadPayee", func(j journaltest.Journal) (any, error) { return j.LoadPayee(t.Context(), since) })
		both("LoadPayer", func(j journaltest.Journal) (any, error) { return j.LoadPayer(t.Context()) })
	})
}

func drawSmall(rt *rapid.T, what string) int { return rapid.IntRange(0, 2).Draw(rt, what) }

// drawTime is the zero time or one of a few.
func drawTime(rt *rapid.T) time.Time {
	if n := drawSmall(rt, "time"); n > 0 {
		return epoch.Add(time.Duration(n))
	}
	return time.Time{}
}

// drawBatch may be one that a journal refuses: it may book a payment twice.
func drawBatch(rt *rapid.T) (b paystream.PayeeBatch) {
	b.PayIndex, b.Rewind = rapid.Uint64Range(0, 9).Draw(rt, "pay_index"), drawSmall(rt, "rewind") == 0
	b.PaymentHash, b.PaidAt = journaltest.PaymentHash(drawSmall(rt, "at")), drawTime(rt)
	for range drawSmall(rt, "pay streams") {
		r := journaltest.PayeeStream(drawSmall(rt, "pay stream"))
		r.Start, r.Closed, r.MovedTo = drawTime(rt), drawTime(rt), drawTime(rt)
		r.Continued = rapid.Bool().Draw(rt, "continued")
		b.Streams = append(b.Streams, r)
	}
	kind := rapid.SampledFrom([]paystream.BookingKind{paystream.BookedCredit, paystream.BookedLate, paystream.BookedUnclaimed})
	for range drawSmall(rt, "bookings") {
		n := drawSmall(rt, "payment")
		k := journaltest.Credit(n, journaltest.PayeeStream(drawSmall(rt, "of")).Handle, int64(drawSmall(rt, "msat")))
		k.Kind, k.PaidAt = kind.Draw(rt, "kind"), drawTime(rt)
		b.Bookings = append(b.Bookings, k)
	}
	for range drawSmall(rt, "terms") {
		terms := journaltest.Terms()
		terms.RateMsat += int64(drawSmall(rt, "rate"))
		b.Terms = append(b.Terms, paystream.RetiredTerms{Terms: terms, Retired: drawTime(rt)})
	}
	return b
}

// drawPayment is a payment at any step, of which some are the same payment.
func drawPayment(rt *rapid.T) paystream.PaymentRecord {
	n := drawSmall(rt, "round")
	return paystream.PaymentRecord{
		Handle: journaltest.PayerStream(drawSmall(rt, "pay stream")).Handle, Round: n, Through: n, Note: paystream.RoundID(fmt.Sprint(n)),
		AmountMsat: 1000, Attempt: drawSmall(rt, "attempt"), Created: drawTime(rt), Settled: drawTime(rt), Invoice: "lni1…", SentMsat: int64(drawSmall(rt, "sent")),
		Step: rapid.SampledFrom([]paystream.PaymentStep{paystream.StepIntent, paystream.StepInvoice, paystream.StepPaying,
			paystream.StepPaid, paystream.StepFailed}).Draw(rt, "step"),
	}
}
