package ledger

import (
	"context"
	"fmt"
	"time"
)

// The steps in which [Ledger.Earnings] may be asked for.
const (
	ByHour = time.Hour
	ByDay  = 24 * time.Hour
)

// Earning is what came in during one hour or day, UTC, by when it was paid. What
// came in is what was credited, what came late and what fits no pay stream.
type Earning struct {
	From          time.Time `json:"from"`
	Payments      int       `json:"payments"`
	PaidMsat      int64     `json:"paid_msat"`      // everything that came in
	EarnedMsat    int64     `json:"earned_msat"`    // of it, credited to pay streams
	LateMsat      int64     `json:"late_msat"`      // came after their pay stream had ended
	UnclaimedMsat int64     `json:"unclaimed_msat"` // fits no pay stream
	ExcessMsat    int64     `json:"excess_msat"`    // credited, and left over at a close in this time
}

// Add sums up.
func (e *Earning) Add(o Earning) {
	e.Payments += o.Payments
	e.PaidMsat += o.PaidMsat
	e.EarnedMsat += o.EarnedMsat
	e.LateMsat += o.LateMsat
	e.UnclaimedMsat += o.UnclaimedMsat
	e.ExcessMsat += o.ExcessMsat
}

// Earnings lists what came in since a time, by hour or by day, the oldest
// first; hours and days in which nothing happened are left out. Of what was
// forgotten only the day is known: by hour, it counts at the beginning of its day.
func (l *Ledger) Earnings(ctx context.Context, since time.Time, step time.Duration) ([]Earning, error) {
	if step != ByHour && step != ByDay {
		return nil, fmt.Errorf("books: earnings by %s: only by hour or by day", step)
	}
	rows, err := l.db.QueryContext(ctx, `
		SELECT (moment / $1) * $1 AS begun, SUM(CASE WHEN account = 'excess' THEN 0 ELSE payments END),
			SUM(CASE WHEN account = 'credit' THEN amount_msat ELSE 0 END),
			SUM(CASE WHEN account = 'late' THEN amount_msat ELSE 0 END),
			SUM(CASE WHEN account = 'unclaimed' THEN amount_msat ELSE 0 END),
			SUM(CASE WHEN account = 'excess' THEN amount_msat ELSE 0 END)
		FROM (SELECT paid_at AS moment, kind AS account, 1 AS payments, amount_msat FROM bookings
			UNION ALL SELECT closed, 'excess', 1, excess_msat FROM (`+excessQuery+`) AS closed_streams WHERE excess_msat > 0
			UNION ALL SELECT day, account, payments, amount_msat FROM days
				WHERE account IN ('credit', 'late', 'unclaimed', 'excess')) AS entries
		WHERE moment >= ($2 / $1) * $1 GROUP BY begun ORDER BY begun`, int64(step), nanos(since))
	all, err := collect(rows, err, func(row scanner) (e Earning, err error) {
		err = row.Scan(timeColumn{&e.From}, &e.Payments, &e.EarnedMsat, &e.LateMsat, &e.UnclaimedMsat, &e.ExcessMsat)
		e.PaidMsat = e.EarnedMsat + e.LateMsat + e.UnclaimedMsat
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("books: %w", err)
	}
	return all, nil
}
