package ledger_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal/journaltest"
)

// A day after its close a pay stream has no secrets and no minutes left, and
// what is live, or closed later, has all of them.
func TestBlur(t *testing.T) {
	path := newPath(t)
	l := open(t, path)
	now := epoch.Add(48*time.Hour + 17*time.Minute)
	old := now.Add(-25 * time.Hour)

	payee, payer := journaltest.PayeeStream(1), journaltest.PayerStream(2)
	payee.Start, payee.Closed, payee.RoundIDs = old.Add(-time.Minute), old, []paystream.RoundID{"roundid-of-the-old"}
	payer.Opened, payer.Closed, payer.Path = old.Add(-time.Minute), old, []string{"path-of-the-old"}
	credit := come(1, paystream.BookedCredit, payee.Handle, 1000, old.Add(-time.Second))
	credit.Note, credit.Label = "note-of-the-old", "label-of-the-old"
	stray := come(2, paystream.BookedUnclaimed, "", 7, old)
	stray.Note = "note-of-nobody"
	earn(t, l, payee, credit, stray)
	young, live := journaltest.PayeeStream(3), journaltest.PayerStream(4)
	young.Closed = now.Add(-23 * time.Hour)
	earn(t, l, young)
	for _, r := range []paystream.PayerRecord{payer, live} {
		if err := l.SavePayStream(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	payment := ledger.Payment{Handle: payer.Handle, Note: "n", Round: 2, Through: 2, Attempt: 1, AmountMsat: 1000, Step: paystream.StepPaid,
		SentMsat: 1003, Created: old, Paying: old, Settled: old, Invoice: "invoice-of-the-old", Circuit: "12", Controller: "alice"}
	if err := l.SavePayment(t.Context(), payment); err != nil {
		t.Fatal(err)
	}

	var sums [2]ledger.Totals
	for i := range sums { // twice is once
		if _, err := l.Tidy(t.Context(), now, ledger.Retention{}); err != nil {
			t.Fatal(err)
		}
		var err error
		if sums[i], err = l.Totals(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := ledger.Totals{SpentMsat: 1003, RoutingMsat: 3, EarnedMsat: 1000, ExcessMsat: 1000, UnclaimedMsat: 7}
	same(t, "totals", [2]ledger.Totals{want, want}, sums)
	if err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}

	story, err := l.PayStream(t.Context(), payee.Handle)
	if err != nil {
		t.Fatal(err)
	}
	hour := old.Truncate(time.Hour)
	if s := story.Sides[0]; !s.Closed.Equal(hour) || s.Start.Minute() != 0 || s.PaidMsat != 1000 {
		t.Errorf("what was paid to us: %+v", s)
	}
	if b := story.Bookings[0]; !b.PaidAt.Equal(hour) || !b.At.Equal(hour) || b.PaymentHash != credit.PaymentHash {
		t.Errorf("its booking: %+v", b)
	}
	if story, err = l.PayStream(t.Context(), payer.Handle); err != nil {
		t.Fatal(err)
	}
	if p := story.Payments[0]; !p.Settled.Equal(hour) || !p.Created.Equal(hour) || p.Circuit != "" || p.SentMsat != 1003 {
		t.Errorf("our payment: %+v", p)
	}

	var files []byte
	names, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, raw...)
	}
	for _, secret := range []string{payee.Hash.Hex(), payer.Preimage.Hex(), "-of-the-old", "note-of-nobody"} {
		if bytes.Contains(files, []byte(secret)) {
			t.Errorf("%q is still in the file", secret)
		}
	}
	for _, kept := range []string{young.Hash.Hex(), live.Preimage.Hex()} {
		if !strings.Contains(string(files), kept) {
			t.Errorf("%q is gone, and is needed", kept)
		}
	}
}

// Each role has a retention of its own.
func TestTidyForgetsByRole(t *testing.T) {
	l := open(t, newPlace(t))
	now := epoch.Add(100 * 24 * time.Hour)
	closed := now.Add(-50 * 24 * time.Hour)
	payee, payer := journaltest.PayeeStream(1), journaltest.PayerStream(2)
	payee.Closed, payer.Closed = closed, closed
	earn(t, l, payee, come(1, paystream.BookedCredit, payee.Handle, 5, closed))
	if err := l.SavePayStream(t.Context(), payer); err != nil {
		t.Fatal(err)
	}
	pay(t, l, 2, "alice", "1", paystream.StepPaid, 9, closed)
	left := func(r ledger.Retention) (handles []paystream.Handle) {
		t.Helper()
		if _, err := l.Tidy(t.Context(), now, r); err != nil {
			t.Fatal(err)
		}
		rows, err := l.PayStreams(t.Context(), ledger.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			handles = append(handles, r.Handle)
		}
		sums, err := l.Totals(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		same(t, "totals", ledger.Totals{SpentMsat: 12, RoutingMsat: 3, EarnedMsat: 5, ExcessMsat: 5}, sums)
		return handles
	}
	const day = 24 * time.Hour
	if got := left(ledger.Retention{Payee: 51 * day}); len(got) != 2 {
		t.Errorf("%v are left, want both", got)
	}
	same(t, "after the payee's", []paystream.Handle{payer.Handle}, left(ledger.Retention{Payee: time.Minute}))
	same(t, "after the payer's", []paystream.Handle(nil), left(ledger.Retention{Payee: day, Payer: 50 * day}))
}
