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

// Forget deletes what was over before a time: pay streams that closed, with
// their payments and bookings, and what belongs to none. One line a day and
// account stays of them, so that no sum changes. It keeps whatever is live, open
// or held, however old, and a pay stream of which anything is younger.
//
// It goes in small steps, so that nobody's commit waits for long; when ctx ends
// in between, what was forgotten until then is forgotten properly.
//
// A payee remembers a used payment id hash for as long as it is in the journal;
// let before be more than 3 hours ago. [Ledger.Tidy] sees to that.
func (l *Ledger) Forget(ctx context.Context, before time.Time) (f Forgotten, err error) {
	err = l.forget(ctx, &f, before, oldPayee, oldUnclaimed, oldPayer, oldStray, oldTerms)
	return f, err
}

func (l *Ledger) forget(ctx context.Context, f *Forgotten, before time.Time, kinds ...old) error {
	for _, o := range kinds {
		for more := true; more; {
			var rows, parents int64
			err := l.write(ctx, func(s *statements) (err error) {
				rows, parents, err = o.forget(s, nanos(before))
				return err
			})
			if err != nil {
				return fmt.Errorf("books: forgetting: %w", err)
			}
			if o.terms {
				f.Terms += rows
			} else {
				f.Payments += rows
			}
			f.PayStreams += parents
			more = rows+parents > 0
		}
	}
	if *f == (Forgotten{}) {
		return nil
	}
	if err := l.backend.forgotten(ctx, l.db); err != nil {
		return fmt.Errorf("books: forgetting: %w", err)
	}
	return nil
}

// old is one kind of what can be forgotten, a few at a time.
type old struct {
	sums   []string // what goes into the table days: day, account, payments and msat
	delete string
	parent string // deletes what the rows belonged to
	terms  bool   // the rows are terms, and not payments
}

// The sets of what is over. $1 is the time before which; $2, in the sums, is
// the length of a day.
const (
	payees = `(SELECT s.handle FROM payee_streams s WHERE s.closed <> 0 AND s.closed < $1
			AND NOT EXISTS (SELECT 1 FROM bookings b WHERE b.handle = s.handle AND b.booked_at >= $1)
		ORDER BY s.closed, s.handle LIMIT 100)`
	payers = `(SELECT s.handle FROM payer_streams s WHERE s.closed <> 0 AND s.closed < $1
			AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.handle = s.handle
				AND (p.step NOT IN ('paid', 'failed') OR p.settled >= $1 OR p.created >= $1))
		ORDER BY s.closed, s.handle LIMIT 100)`
	unclaimed = `(SELECT k.payment_hash FROM bookings k WHERE k.kind IN ('late', 'unclaimed') AND k.booked_at < $1
			AND (k.handle = '' OR NOT EXISTS (SELECT 1 FROM payee_streams s WHERE s.handle = k.handle))
		ORDER BY k.kind, k.paid_at, k.payment_hash LIMIT 500)`
	stray = `(SELECT p.handle, p.note, p.amount_msat, p.attempt FROM payments p
			WHERE p.step IN ('paid', 'failed') AND p.settled < $1 AND p.created < $1
			AND NOT EXISTS (SELECT 1 FROM payer_streams s WHERE s.handle = p.handle)
		ORDER BY p.step, p.settled, p.handle, p.note, p.amount_msat, p.attempt LIMIT 500)`

	sumBookings = `SELECT (paid_at / $2) * $2, kind, COUNT(*), SUM(amount_msat) FROM bookings WHERE `
	sumSpent    = `SELECT (settled / $2) * $2, 'spent', COUNT(*), SUM(sent_msat) FROM payments WHERE step = 'paid' AND `
	sumRouting  = `SELECT (settled / $2) * $2, 'routing', COUNT(*), SUM(sent_msat - amount_msat) FROM payments WHERE step = 'paid' AND `
	sumExcess   = `SELECT (closed / $2) * $2, 'excess', COUNT(*), SUM(excess_msat)
		FROM (` + excessQuery + ` AND s.handle IN ` + payees + `) AS closed_streams WHERE excess_msat > 0 GROUP BY 1`

	ofPayees = `handle IN ` + payees
	ofPayers = `handle IN ` + payers
	isStray  = `(handle, note, amount_msat, attempt) IN ` + stray
)

var (
	oldPayee = old{
		sums:   []string{sumExcess, sumBookings + ofPayees + ` GROUP BY 1, 2`},
		delete: `DELETE FROM bookings WHERE ` + ofPayees,
		parent: `DELETE FROM payee_streams WHERE ` + ofPayees,
	}
	oldUnclaimed = old{
		sums:   []string{sumBookings + `payment_hash IN ` + unclaimed + ` GROUP BY 1, 2`},
		delete: `DELETE FROM bookings WHERE payment_hash IN ` + unclaimed,
	}
	oldPayer = old{
		sums:   []string{sumSpent + ofPayers + ` GROUP BY 1`, sumRouting + ofPayers + ` GROUP BY 1`},
		delete: `DELETE FROM payments WHERE ` + ofPayers,
		parent: `DELETE FROM payer_streams WHERE ` + ofPayers,
	}
	oldStray = old{
		sums:   []string{sumSpent + isStray + ` GROUP BY 1`, sumRouting + isStray + ` GROUP BY 1`},
		delete: `DELETE FROM payments WHERE ` + isStray,
	}
	oldTerms = old{terms: true, delete: `DELETE FROM offered_terms WHERE retired <> 0 AND retired < $1`}
)

// forget sums up and deletes one step's worth. The rows go before their
// parents, which does not change who the parents are.
func (o old) forget(s *statements, before int64) (rows, parents int64, err error) {
	for _, sum := range o.sums {
		if _, err := s.exec(`INSERT INTO days (day, account, payments, amount_msat) SELECT * FROM (`+sum+`) AS sums WHERE 1 = 1
			ON CONFLICT (day, account) DO UPDATE SET payments = days.payments + excluded.payments,
				amount_msat = days.amount_msat + excluded.amount_msat`, before, int64(ByDay)); err != nil {
			return 0, 0, err
		}
	}
	if rows, err = s.exec(o.delete, before); err != nil || o.parent == "" {
		return rows, 0, err
	}
	parents, err = s.exec(o.parent, before)
	return rows, parents, err
}
