package ledger

import (
	"context"
	"fmt"
	"time"
)

// SpentFor is what went to one relay on one controller's account.
type SpentFor struct {
	Controller  string `json:"controller"` // empty: the apps of the SOCKS port
	Relay       string `json:"relay"`
	Payments    int    `json:"payments"` // settled
	SpentMsat   int64  `json:"spent_msat"`
	RoutingMsat int64  `json:"routing_msat"` // of it
	HeldMsat    int64  `json:"held_msat"`
}

// SpentOn lists by controller and relay what settled since a time, and what is held
// now, however old; the dearest first.
func (l *Ledger) SpentOn(ctx context.Context, since time.Time) ([]SpentFor, error) {
	rows, err := l.db.QueryContext(ctx, `
		SELECT p.controller, COALESCE(s.relay, ''),
			SUM(CASE WHEN p.step = 'paid' THEN 1 ELSE 0 END),
			SUM(CASE WHEN p.step = 'paid' THEN p.sent_msat ELSE 0 END) AS spent,
			SUM(CASE WHEN p.step = 'paid' THEN p.sent_msat - p.amount_msat ELSE 0 END),
			SUM(CASE WHEN p.step = 'paid' THEN 0 ELSE p.amount_msat + p.max_fee_msat END)
		FROM payments p LEFT JOIN payer_streams s ON s.handle = p.handle
		WHERE p.step IN ('intent', 'invoice', 'paying') OR (p.step = 'paid' AND p.settled >= $1)
		GROUP BY p.controller, COALESCE(s.relay, '') ORDER BY spent DESC, p.controller, COALESCE(s.relay, '')`, nanos(since))
	all, err := collect(rows, err, func(row scanner) (s SpentFor, err error) {
		err = row.Scan(&s.Controller, &s.Relay, &s.Payments, &s.SpentMsat, &s.RoutingMsat, &s.HeldMsat)
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("books: %w", err)
	}
	return all, nil
}
