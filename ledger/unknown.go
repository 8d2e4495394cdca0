package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/el-tor/tops/paystream"
)

// Unserved is a payment to us that bought nothing: it came after its pay stream
// had ended, or fits none. Its hash finds it among the node's invoices.
type Unserved struct {
	Kind        paystream.BookingKind `json:"kind"` // late or unclaimed
	Handle      paystream.Handle      `json:"handle,omitempty"`
	Round       int                   `json:"round,omitempty"`
	AmountMsat  int64                 `json:"amount_msat"`
	PaidAt      time.Time             `json:"paid_at"`
	PaymentHash string                `json:"payment_hash"`
}

// Unserved lists late and unclaimed payments since a time, the latest first, at
// most limit of them; 0 for all. What was forgotten is not in it.
func (l *Ledger) Unserved(ctx context.Context, since time.Time, limit int) ([]Unserved, error) {
	if limit <= 0 {
		limit = 1 << 31
	}
	rows, err := l.db.QueryContext(ctx, `SELECT kind, handle, round, amount_msat, paid_at, payment_hash FROM bookings
		WHERE kind IN ('late', 'unclaimed') AND paid_at >= $1 ORDER BY paid_at DESC, payment_hash LIMIT $2`, nanos(since), limit)
	all, err := collect(rows, err, func(row scanner) (u Unserved, err error) {
		err = row.Scan(&u.Kind, &u.Handle, &u.Round, &u.AmountMsat, timeColumn{&u.PaidAt}, &u.PaymentHash)
		return u, err
	})
	if err != nil {
		return nil, fmt.Errorf("books: %w", err)
	}
	return all, nil
}
