package ledger

import (
	"context"
	"fmt"
	"time"
)

// Forgotten says what [Ledger.Forget] deleted.
type Forgotten struct {
	PayStreams int64 `json:"pay_streams"`
	Payments   int64 `json:"payments"` // and bookings
	Terms      int64 `json:"terms"`
}

// Forget deletes what was over before a time: pay streams that closed, and
// payments and bookings that belong to no other. One line a day and account
// stays of them, so that no sum changes. It keeps whatever is live, open or
// held, however old.
//
// A payee remembers a used payment id hash for as long as it is in the journal;
// let before be more than 3 hours ago.
func (l *Ledger) Forget(ctx context.Context, before time.Time) (f Forgotten, err error) {
	err = l.write(ctx, func(s *statements) error {
		f, err = forget(s, nanos(before))
		return err
	})
	if err == nil {
		err = emptyLog(ctx, l.db)
	}
	if err != nil {
		return Forgotten{}, fmt.Errorf("books: forgetting: %w", err)
	}
	return f, nil
}

// What is over: $1 is the time before which. The rows of a pay stream that is
// live or closed later stay with it, and its bookings go together, since its
// excess is one figure for all of them.
const (
	oldBookings = `booked_at < $1 AND NOT EXISTS (SELECT 1 FROM payee_streams s
		WHERE s.handle = bookings.handle AND (s.closed = 0 OR s.closed >= $1))
		AND (handle = '' OR NOT EXISTS (SELECT 1 FROM bookings b WHERE b.handle = bookings.handle AND b.booked_at >= $1))`
	oldPayments = `step IN ('paid', 'failed') AND settled < $1 AND created < $1 AND NOT EXISTS (SELECT 1 FROM payer_streams s
		WHERE s.handle = payments.handle AND (s.closed = 0 OR s.closed >= $1))`
	oldPayees = `closed <> 0 AND closed < $1 AND NOT EXISTS (SELECT 1 FROM bookings b WHERE b.handle = payee_streams.handle)`
	oldPayers = `closed <> 0 AND closed < $1 AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.handle = payer_streams.handle)`
)

func forget(s *statements, before int64) (f Forgotten, err error) {
	day := int64(ByDay)
	for _, sum := range []string{
		`SELECT (closed / $2) * $2, 'excess', COUNT(*), SUM(excess_msat) FROM (` + excessQuery + ` AND s.closed < $1
				AND NOT EXISTS (SELECT 1 FROM bookings b WHERE b.handle = s.handle AND b.booked_at >= $1)) AS closed_streams
			WHERE excess_msat > 0 GROUP BY 1`,
		`SELECT (paid_at / $2) * $2, kind, COUNT(*), SUM(amount_msat) FROM bookings WHERE ` + oldBookings + ` GROUP BY 1, 2`,
		`SELECT (settled / $2) * $2, 'spent', COUNT(*), SUM(sent_msat) FROM payments WHERE step = 'paid' AND ` + oldPayments + ` GROUP BY 1`,
		`SELECT (settled / $2) * $2, 'routing', COUNT(*), SUM(sent_msat - amount_msat) FROM payments
			WHERE step = 'paid' AND ` + oldPayments + ` GROUP BY 1`,
	} {
		if _, err := s.exec(`INSERT INTO days (day, account, payments, amount_msat) SELECT * FROM (`+sum+`) AS sums WHERE 1 = 1
			ON CONFLICT (day, account) DO UPDATE SET payments = days.payments + excluded.payments,
				amount_msat = days.amount_msat + excluded.amount_msat`, before, day); err != nil {
			return f, err
		}
	}
	for _, gone := range []struct {
		table, over string
		count       *int64
	}{
		{"bookings", oldBookings, &f.Payments},
		{"payments", oldPayments, &f.Payments},
		{"payee_streams", oldPayees, &f.PayStreams},
		{"payer_streams", oldPayers, &f.PayStreams},
		{"offered_terms", "retired <> 0 AND retired < $1", &f.Terms},
	} {
		n, err := s.exec(`DELETE FROM `+gone.table+` WHERE `+gone.over, before)
		if err != nil {
			return f, err
		}
		*gone.count += n
	}
	return f, nil
}
