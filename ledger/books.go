package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/el-tor/tops/policies"
)

// Totals is everything, in msat, since the books began.
type Totals struct {
	SpentMsat   int64 `json:"spent_msat"`   // settled payments of ours, routing included
	RoutingMsat int64 `json:"routing_msat"` // the routing in it
	HeldMsat    int64 `json:"held_msat"`    // the most that the open ones may still cost

	EarnedMsat    int64 `json:"earned_msat"`    // credited to pay streams
	ExcessMsat    int64 `json:"excess_msat"`    // of that, left over when they closed
	LateMsat      int64 `json:"late_msat"`      // came after their pay stream had ended
	UnclaimedMsat int64 `json:"unclaimed_msat"` // fits no pay stream
}

// The accounts of the table days, where forgotten payments are summed up.
const (
	accountCredit    = "credit"
	accountExcess    = "excess"
	accountLate      = "late"
	accountUnclaimed = "unclaimed"
	accountSpent     = "spent"
	accountRouting   = "routing"
)

// excessQuery is the SQL for what is left over of the payee's pay streams s that
// are closed; a condition on s may follow.
const excessQuery = `SELECT s.handle, s.closed, COALESCE((SELECT SUM(b.amount_msat) FROM bookings b
		WHERE b.handle = s.handle AND b.kind = 'credit'), 0) - s.owed_msat AS excess_msat
	FROM payee_streams s WHERE s.closed <> 0`

// Totals adds up the books, what was forgotten included.
func (l *Ledger) Totals(ctx context.Context) (t Totals, err error) {
	rows, err := l.db.QueryContext(ctx, `SELECT account, SUM(amount_msat) FROM (
		SELECT account, amount_msat FROM days
		UNION ALL SELECT kind, amount_msat FROM bookings
		UNION ALL SELECT 'excess', excess_msat FROM (`+excessQuery+`) AS closed_streams WHERE excess_msat > 0
		UNION ALL SELECT 'spent', sent_msat FROM payments WHERE step = 'paid'
		UNION ALL SELECT 'routing', sent_msat - amount_msat FROM payments WHERE step = 'paid'
		UNION ALL SELECT 'held', amount_msat + max_fee_msat FROM payments WHERE step NOT IN ('paid', 'failed')
		) AS entries GROUP BY account`)
	if err != nil {
		return t, fmt.Errorf("books: %w", err)
	}
	defer rows.Close()
	into := map[string]*int64{accountCredit: &t.EarnedMsat, accountExcess: &t.ExcessMsat, accountLate: &t.LateMsat,
		accountUnclaimed: &t.UnclaimedMsat, accountSpent: &t.SpentMsat, accountRouting: &t.RoutingMsat, "held": &t.HeldMsat}
	for rows.Next() {
		var account string
		var msat int64
		if err := rows.Scan(&account, &msat); err != nil {
			return t, fmt.Errorf("books: %w", err)
		}
		if sum := into[account]; sum != nil {
			*sum = msat
		}
	}
	if err := rows.Err(); err != nil {
		return t, fmt.Errorf("books: %w", err)
	}
	return t, nil
}

// SpentBy is what one controller spent on one circuit.
type SpentBy struct {
	Controller  string `json:"controller"`
	Circuit     string `json:"circuit"`
	Payments    int    `json:"payments"` // settled
	SpentMsat   int64  `json:"spent_msat"`
	RoutingMsat int64  `json:"routing_msat"`
	HeldMsat    int64  `json:"held_msat"`
}

// Spent lists by controller and circuit what settled since a time, and what is
// held now, however old. What was forgotten is not in it.
func (l *Ledger) Spent(ctx context.Context, since time.Time) ([]SpentBy, error) {
	rows, err := l.db.QueryContext(ctx, `
		SELECT controller, circuit,
			SUM(CASE WHEN step = 'paid' THEN 1 ELSE 0 END),
			SUM(CASE WHEN step = 'paid' THEN sent_msat ELSE 0 END),
			SUM(CASE WHEN step = 'paid' THEN sent_msat - amount_msat ELSE 0 END),
			SUM(CASE WHEN step = 'paid' THEN 0 ELSE amount_msat + max_fee_msat END)
		FROM payments WHERE step IN ('intent', 'invoice', 'paying') OR (step = 'paid' AND settled >= $1)
		GROUP BY controller, circuit ORDER BY controller, circuit`, nanos(since))
	all, err := collect(rows, err, func(row scanner) (s SpentBy, err error) {
		err = row.Scan(&s.Controller, &s.Circuit, &s.Payments, &s.SpentMsat, &s.RoutingMsat, &s.HeldMsat)
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("books: %w", err)
	}
	return all, nil
}

// Spendings is what a budget has to know after a restart: each payment that
// settled since a time, everything held, and one entry for all that is older.
// The windows of a budget ask for 24 hours.
func (l *Ledger) Spendings(ctx context.Context, since time.Time) ([]policies.Spending, error) {
	rows, err := l.db.QueryContext(ctx, `SELECT `+paymentColumns+` FROM payments
		WHERE step IN ('intent', 'invoice', 'paying') OR (step = 'paid' AND settled >= $1)`, nanos(since))
	all, err := collect(rows, err, func(row scanner) (policies.Spending, error) {
		p, err := scanPayment(row)
		if p.Step.Open() {
			return policies.Spending{Spend: p.Spend(), Msat: p.HeldMsat(), Held: true}, err
		}
		return policies.Spending{Spend: p.Spend(), Msat: p.SentMsat, At: p.Settled}, err
	})
	if err != nil {
		return nil, fmt.Errorf("books: %w", err)
	}
	var older policies.Spending
	err = l.db.QueryRowContext(ctx, `
		SELECT COALESCE((SELECT SUM(sent_msat) FROM payments WHERE step = 'paid' AND settled < $1), 0)
			+ COALESCE((SELECT SUM(amount_msat) FROM days WHERE account = 'spent'), 0)`, nanos(since)).Scan(&older.Msat)
	if err != nil {
		return nil, fmt.Errorf("books: %w", err)
	}
	if older.Msat > 0 {
		all = append(all, older)
	}
	return all, nil
}
