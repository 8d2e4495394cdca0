// Package journaltest is the test that every journal of the engine passes: what
// [paystream.PayeeJournal] and [paystream.PayerJournal] promise in words, as
// code.
//
//	func TestJournal(t *testing.T) {
//		journaltest.Run(t, func(t *testing.T) journaltest.Journal { return open(t) })
//	}
//
// It holds a table of single promises (payee.go, payer.go), and a property
// test (model.go) that compares a journal with a model of a few lines over
// random histories.
package journaltest

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// Journal is what is tested: both journals in one.
type Journal interface {
	paystream.PayeeJournal
	paystream.PayerJournal
}

// Reopener is a Journal that outlives its process: Reopen closes it and opens
// it again, as a restart does. The test of one that can not goes on with it as
// it is.
type Reopener interface {
	Journal
	Reopen(t *testing.T) Journal
}

func reopen(t *testing.T, j Journal) Journal {
	if r, can := j.(Reopener); can {
		return r.Reopen(t)
	}
	return j
}

// Run tests the journals that open makes, each time an empty one.
func Run(t *testing.T, open func(t *testing.T) Journal) {
	for _, tc := range []struct {
		name string
		test func(t *testing.T, j Journal)
	}{
		{"empty", empty},
		{"payee stream comes back", payeeStreamComesBack},
		{"balance is the sum of credits", balanceIsTheSumOfCredits},
		{"a payment is booked once", bookedOnce},
		{"an unclaimed payment is claimed once", claimedOnce},
		{"a batch may be committed again", committedAgain},
		{"a batch that books twice is refused whole", twiceInABatch},
		{"pay_index goes back only by Rewind", payIndexGoesBackOnlyByRewind},
		{"loading leaves out what is old", leavesOutTheOld},
		{"terms", offeredTerms},
		{"payer stream comes back", payerStreamComesBack},
		{"paid is the sum of payments", paidIsTheSumOfPayments},
		{"payment step by step", paymentSteps},
		{"a paid payment stays paid", paidStaysPaid},
		{"payments are told apart", paymentsToldApart},
		{"the secret stays", secretStays},
		{"unusable terms are refused", unusableTerms},
		{"an ended context writes nothing", endedContext},
		{"model", model},
	} {
		t.Run(tc.name, func(t *testing.T) { tc.test(t, open(t)) })
	}
}

// now is the time of every test: whole and round, but not in UTC.
func now() time.Time {
	return time.Date(2030, 1, 2, 3, 4, 5, 678901234, time.FixedZone("", 3600))
}

// Terms are valid terms, for the tests of other journals too.
func Terms() policies.Terms {
	return policies.DefaultTerms("0123456789ABCDEF0123456789ABCDEF01234567",
		policies.Descriptor{Kind: policies.Offer, Value: "lno1example"}, netip.MustParseAddrPort("203.0.113.9:9402"))
}

// preimage makes the n-th payer's secret.
func preimage(n int) (p paystream.Preimage) {
	p[0], p[1], p[2] = byte(n), byte(n>>8), byte(n>>16)
	return p
}

// PayeeStream is the n-th pay stream that a payee may keep.
func PayeeStream(n int) paystream.PayeeRecord {
	hash := preimage(n).Hash()
	return paystream.PayeeRecord{Hash: hash, Handle: hash.Handle(), Terms: Terms(), Start: now(), State: "due"}
}

// PayerStream is the n-th pay stream that a payer may keep.
func PayerStream(n int) paystream.PayerRecord {
	p := preimage(n)
	return paystream.PayerRecord{Preimage: p, Handle: p.Hash().Handle(), Terms: Terms(), Circuit: "12", Hop: 3,
		Opened: now(), State: "due"}
}

// PaymentHash is a payment's name.
func PaymentHash(n int) string { return fmt.Sprintf("%064x", n) }

// Credit books the n-th payment to a pay stream.
func Credit(n int, h paystream.Handle, msat int64) paystream.Booking {
	return booking(n, paystream.BookedCredit, h, msat)
}

func unclaimed(n int, msat int64) paystream.Booking {
	return booking(n, paystream.BookedUnclaimed, "", msat)
}

func booking(n int, kind paystream.BookingKind, h paystream.Handle, msat int64) paystream.Booking {
	return paystream.Booking{
		Settlement: paystream.Settlement{PayIndex: uint64(n), PaymentHash: PaymentHash(n), Label: fmt.Sprint("label ", n),
			Note: fmt.Sprintf("%064x", n+1<<20), OfferID: "offer", AmountMsat: msat, PaidAt: now()},
		Kind: kind, Handle: h, Round: 2, At: now().Add(time.Second),
	}
}

func commit(t testing.TB, j Journal, b paystream.PayeeBatch) (known []string) {
	t.Helper()
	known, err := j.CommitPayee(t.Context(), b)
	if err != nil {
		t.Fatalf("CommitPayee: %v", err)
	}
	return known
}

func loadPayee(t testing.TB, j Journal) paystream.PayeeState {
	t.Helper()
	st, err := j.LoadPayee(t.Context(), now().Add(-3*time.Hour))
	if err != nil {
		t.Fatalf("LoadPayee: %v", err)
	}
	return st
}

func loadPayer(t testing.TB, j Journal) paystream.PayerState {
	t.Helper()
	st, err := j.LoadPayer(t.Context())
	if err != nil {
		t.Fatalf("LoadPayer: %v", err)
	}
	return st
}

// reporter is a *testing.T or a *rapid.T.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// same compares what was kept with what came back.
func same(t reporter, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", what, diff)
	}
}
