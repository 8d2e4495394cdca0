package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/el-tor/tops/paystream"
)

// Verify checks the file, that every record can be read, and that the books
// agree with themselves. It returns everything that it finds wrong, joined.
func (l *Ledger) Verify(ctx context.Context) error {
	found := []error{l.backend.check(ctx, l.db)}
	if _, err := l.LoadPayee(ctx, time.Time{}); err != nil {
		found = append(found, err)
	}
	rows, err := l.db.QueryContext(ctx, `SELECT handle, payment_id_hash FROM payee_streams WHERE payment_id_hash <> ''`)
	found = append(found, checkHandles(rows, err, paystream.ParsePaymentIDHash))
	rows, err = l.db.QueryContext(ctx, `SELECT handle, preimage FROM payer_streams WHERE preimage <> ''`)
	found = append(found, checkHandles(rows, err, func(secret string) (paystream.PaymentIDHash, error) {
		p, err := paystream.ParsePreimage(secret)
		return p.Hash(), err
	}))
	for _, rule := range []struct{ what, query string }{
		{"bookings without a pay stream to belong to", `SELECT COUNT(*) FROM bookings WHERE kind <> 'unclaimed' AND handle = ''`},
		{"credits to a pay stream that is not in the books",
			`SELECT COUNT(*) FROM bookings b WHERE kind = 'credit'
				AND NOT EXISTS (SELECT 1 FROM payee_streams s WHERE s.handle = b.handle)`},
		{"payments that cost less than what the payee received",
			`SELECT COUNT(*) FROM payments WHERE step = 'paid' AND sent_msat < amount_msat`},
		{"payments that are paid and were never settled", `SELECT COUNT(*) FROM payments WHERE step = 'paid' AND settled = 0`},
		{"payments paid twice", `SELECT COUNT(*) FROM (SELECT payment_hash FROM payments WHERE step = 'paid' AND payment_hash <> ''
			GROUP BY payment_hash HAVING COUNT(*) > 1) AS twice`},
		{"live pay streams without their secret", `SELECT COUNT(*) FROM (SELECT handle FROM payee_streams WHERE closed = 0 AND payment_id_hash = ''
			UNION ALL SELECT handle FROM payer_streams WHERE closed = 0 AND preimage = '') AS blank`},
		{"forgotten days with less than nothing", `SELECT COUNT(*) FROM days WHERE amount_msat < 0 OR payments < 0`},
	} {
		var n int
		if err := l.db.QueryRowContext(ctx, rule.query).Scan(&n); err != nil {
			found = append(found, err)
		} else if n > 0 {
			found = append(found, fmt.Errorf("%d %s", n, rule.what))
		}
	}
	if err := errors.Join(found...); err != nil {
		return fmt.Errorf("books: %w", err)
	}
	return nil
}

// checkHandles finds pay streams whose handle is not that of their hash.
func checkHandles(rows *sql.Rows, err error, hash func(secret string) (paystream.PaymentIDHash, error)) error {
	wrong, err := collect(rows, err, func(row scanner) (error, error) {
		var handle paystream.Handle
		var secret string
		if err := row.Scan(&handle, &secret); err != nil {
			return nil, err
		}
		if h, err := hash(secret); err != nil || h.Handle() != handle {
			return fmt.Errorf("pay stream %s has the hash of another", handle), nil
		}
		return nil, nil
	})
	return errors.Join(append(wrong, err)...)
}
