package ledger_test

import (
	"testing"
	"time"

	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal/journaltest"
)

// Books from before the position had a payment get that of the last booking; what followed it is walked again.
func TestPositionOfOlderBooks(t *testing.T) {
	const bookings = `INSERT INTO bookings (payment_hash, kind, handle, round, pay_index, label, note, offer_id, amount_msat, paid_at, booked_at)
		VALUES ('aa', 'credit', 'h', 1, 7, '', '', '', 1000, 70, 70), ('bb', 'credit', 'h', 1, 31, '', '', '', 1000, 310, 310)`
	for what, c := range map[string]struct {
		sql  string
		want paystream.Position
	}{
		"nothing yet": {"DELETE FROM cursors", paystream.Position{}},
		"strangers' payments alone": {"INSERT INTO cursors VALUES ('pay_index', 40)",
			paystream.Position{PayIndex: 40}},
		"a booking, and strangers' payments after it": {"INSERT INTO cursors VALUES ('pay_index', 40);" + bookings,
			paystream.Position{PayIndex: 31, PaymentHash: "bb", PaidAt: time.Unix(0, 310).UTC()}},
		"a booking last": {"INSERT INTO cursors VALUES ('pay_index', 7);" + bookings,
			paystream.Position{PayIndex: 7, PaymentHash: "aa", PaidAt: time.Unix(0, 70).UTC()}},
	} {
		place := newPlace(t)
		undo := ledger.OnlySteps(1)
		if err := open(t, place).Close(); err != nil {
			t.Fatal(err)
		}
		undo()
		edit(t, place, c.sql)
		l, err := ledger.OpenWith(t.Context(), place, ledger.Options{Backups: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := l.PayeePosition(t.Context()); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", what, got, err, c.want)
		}
		next := paystream.Position{PayIndex: 41, PaymentHash: journaltest.PaymentHash(1), PaidAt: time.Unix(9, 0).UTC()}
		if _, err := l.CommitPayee(t.Context(), paystream.PayeeBatch{Position: next}); err != nil {
			t.Fatal(err)
		}
		st, err := l.LoadPayee(t.Context(), time.Time{})
		if err != nil || st.Position != next {
			t.Errorf("%s: then %+v, %v", what, st.Position, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
