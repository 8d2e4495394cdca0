package ledger

import (
	"context"
	"fmt"
	"time"
)

// DetailFor is how long after the close of a pay stream its details are kept:
// for whoever has to find out what went wrong yesterday. No engine needs them
// any more by then.
const DetailFor = 24 * time.Hour

// Blur takes from what closed before a time what the accounts do not need: the
// secrets (payment id hash, preimage, invoices, notes and labels), the circuit
// and its path, and every time but its hour. Amounts, handles and payment
// hashes stay: they say what was paid, and for a node's own list of payments to
// be compared with. No sum changes, by hour neither.
//
// It goes in small steps, as [Ledger.Forget] does, and remembers how far it came.
func (l *Ledger) Blur(ctx context.Context, before time.Time) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("books: blurring: %w", err)
		}
	}()
	done := false
	for _, b := range [...]blurred{blurredPayee, blurredPayer, blurredUnclaimed} {
		for more := true; more; {
			err := l.write(ctx, func(s *statements) (err error) {
				more, err = b.step(s, nanos(before))
				return err
			})
			if err != nil {
				return err
			}
			done = done || more
		}
	}
	if !done {
		return nil
	}
	return l.backend.forgotten(ctx, l.db)
}

// blurred is one kind of what is blurred, in the order of a time of its own that
// does not change any more.
type blurred struct {
	cursor string   // how far it came
	next   string   // the time of the next one, not before $1; 0 if there is none
	update []string // from $1 on and before $2; $3 is an hour
}

// blurStep is how much of the past one commit takes.
const blurStep = 10 * time.Minute

var (
	blurredPayee = blurred{
		cursor: "blurred_payee",
		next:   `SELECT COALESCE(MIN(closed), 0) FROM payee_streams WHERE closed >= $1 AND closed <> 0`,
		update: []string{
			`UPDATE bookings SET paid_at = (paid_at / $3) * $3, booked_at = (booked_at / $3) * $3, label = '', note = '', offer_id = ''
				WHERE handle IN (SELECT handle FROM payee_streams WHERE closed >= $1 AND closed < $2)`,
			`UPDATE payee_streams SET payment_id_hash = '', round_ids = '', moved_to = 0,
					started = (started / $3) * $3, closed = (closed / $3) * $3
				WHERE closed >= $1 AND closed < $2`,
		},
	}
	blurredPayer = blurred{
		cursor: "blurred_payer",
		next:   `SELECT COALESCE(MIN(closed), 0) FROM payer_streams WHERE closed >= $1 AND closed <> 0`,
		update: []string{
			`UPDATE payments SET invoice = '', circuit = '', expires = 0, paying = 0,
					created = (created / $3) * $3, settled = (settled / $3) * $3
				WHERE step IN ('paid', 'failed')
					AND handle IN (SELECT handle FROM payer_streams WHERE closed >= $1 AND closed < $2)`,
			`UPDATE payer_streams SET preimage = '', round_ids = '', circuit = '', path = '',
					started = (started / $3) * $3, opened = (opened / $3) * $3, closed = (closed / $3) * $3
				WHERE closed >= $1 AND closed < $2`,
		},
	}
	blurredUnclaimed = blurred{
		cursor: "blurred_unclaimed",
		next:   `SELECT COALESCE(MIN(booked_at), 0) FROM bookings WHERE kind = 'unclaimed' AND booked_at >= $1`,
		update: []string{
			`UPDATE bookings SET paid_at = (paid_at / $3) * $3, booked_at = (booked_at / $3) * $3, label = '', note = '', offer_id = ''
				WHERE kind = 'unclaimed' AND booked_at >= $1 AND booked_at < $2`,
		},
	}
)

// step blurs what lies in the next few minutes in which there is anything.
func (b blurred) step(s *statements, before int64) (more bool, err error) {
	var from int64
	if err := s.scan(`SELECT COALESCE(MAX(position), 0) FROM cursors WHERE name = $1`, []any{b.cursor}, &from); err != nil {
		return false, err
	}
	if err := s.scan(b.next, []any{from}, &from); err != nil || from == 0 || from >= before {
		return false, err
	}
	until := min(before, from+int64(blurStep))
	for _, update := range b.update {
		if _, err := s.exec(update, from, until, int64(time.Hour)); err != nil {
			return false, err
		}
	}
	_, err = s.exec(`INSERT INTO cursors (name, position) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET position = excluded.position`, b.cursor, until)
	return true, err
}
