package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/el-tor/tops/paystream"
)

// payIndex is the cursor that follows the node's paid invoices.
const payIndex = "pay_index"

// CommitPayee makes a batch durable, all or nothing, and returns the payment
// hashes in it that had been booked before.
func (l *Ledger) CommitPayee(ctx context.Context, b paystream.PayeeBatch) (known []string, err error) {
	if err := checkBatch(b); err != nil {
		return nil, fmt.Errorf("payee journal: %w", err)
	}
	err = l.write(ctx, func(s *statements) error {
		known, err = commitPayee(s, b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("payee journal: %w", err)
	}
	return known, nil
}

// checkBatch refuses what could not be read again, and a payment that the
// batch itself books twice: nobody could tell which of the two is known.
func checkBatch(b paystream.PayeeBatch) error {
	for _, r := range b.Streams {
		if err := r.Terms.Validate(); err != nil {
			return fmt.Errorf("pay stream %s: %w", r.Handle, err)
		}
	}
	for _, t := range b.Terms {
		if err := t.Terms.Validate(); err != nil {
			return fmt.Errorf("terms offered: %w", err)
		}
	}
	booked := make(map[string]bool, len(b.Bookings))
	for _, k := range b.Bookings {
		if k.Kind == paystream.BookedUnclaimed {
			continue
		}
		if booked[k.PaymentHash] {
			return fmt.Errorf("payment %q is booked twice in one batch", k.PaymentHash)
		}
		booked[k.PaymentHash] = true
	}
	return nil
}

func commitPayee(s *statements, b paystream.PayeeBatch) (known []string, err error) {
	for _, r := range b.Streams {
		if err := putPayeeStream(s, r); err != nil {
			return nil, err
		}
	}
	for _, k := range b.Bookings {
		isKnown, err := book(s, k)
		if err != nil {
			return nil, err
		}
		if isKnown {
			known = append(known, k.PaymentHash)
		}
	}
	for _, t := range b.Terms {
		if _, err := s.exec(`INSERT INTO offered_terms (terms_hash, line, retired) VALUES ($1, $2, $3)
			ON CONFLICT (terms_hash) DO UPDATE SET retired = excluded.retired`,
			t.Terms.Hash().String(), t.Terms.String(), nanos(t.Retired)); err != nil {
			return nil, err
		}
	}
	if b.PayIndex > 0 || b.Rewind {
		_, err = s.exec(`INSERT INTO cursors (name, position, payment_hash, paid_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (name) DO UPDATE SET position = excluded.position, payment_hash = excluded.payment_hash,
				paid_at = excluded.paid_at WHERE $5 = 1 OR excluded.position > cursors.position`,
			payIndex, int64(b.PayIndex), b.PaymentHash, nanos(b.PaidAt), oneIf(b.Rewind))
	}
	return known, err
}

// book enters a settlement. The statement changes nothing if the payment is in
// the books already, unless it was unclaimed and is claimed now.
func book(s *statements, k paystream.Booking) (known bool, err error) {
	changed, err := s.exec(`INSERT INTO bookings (payment_hash, kind, handle, round, pay_index, label, note, offer_id,
			amount_msat, paid_at, booked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (payment_hash) DO UPDATE SET kind = excluded.kind, handle = excluded.handle, round = excluded.round,
			booked_at = excluded.booked_at
			WHERE bookings.kind = 'unclaimed' AND excluded.kind <> 'unclaimed'`,
		k.PaymentHash, string(k.Kind), string(k.Handle), k.Round, int64(k.PayIndex), k.Label, k.Note, k.OfferID,
		k.AmountMsat, nanos(k.PaidAt), nanos(k.At))
	if err != nil || changed > 0 {
		return false, err
	}
	var kind paystream.BookingKind
	err = s.scan(`SELECT kind FROM bookings WHERE payment_hash = $1`, []any{k.PaymentHash}, &kind)
	return kind != paystream.BookedUnclaimed, err
}

func putPayeeStream(s *statements, r paystream.PayeeRecord) error {
	_, err := s.exec(`INSERT INTO payee_streams (handle, payment_id_hash, terms, relay, round_ids, started, elapsed, fee_msat,
			owed_msat, bytes, state, reason, moved_to, moved_round, continues, continued_by, continued, closed)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
		ON CONFLICT (handle) DO UPDATE SET payment_id_hash = excluded.payment_id_hash, terms = excluded.terms,
			relay = excluded.relay, round_ids = excluded.round_ids, started = excluded.started, elapsed = excluded.elapsed,
			fee_msat = excluded.fee_msat, owed_msat = excluded.owed_msat, bytes = excluded.bytes, state = excluded.state,
			reason = excluded.reason, moved_to = excluded.moved_to, moved_round = excluded.moved_round,
			continues = excluded.continues, continued_by = excluded.continued_by,
			continued = excluded.continued, closed = excluded.closed`,
		string(r.Handle), r.Hash.Hex(), r.Terms.String(), r.Terms.Relay, joinWords(r.RoundIDs), nanos(r.Start), int64(r.Elapsed),
		r.FeeMsat, owedMsat(r), r.Bytes, r.State, string(r.Reason), nanos(r.MovedTo), r.MovedRound,
		string(r.Continues), string(r.ContinuedBy), r.Continued, nanos(r.Closed))
	return err
}

// owedMsat is what the opening and the rounds that have begun come to.
func owedMsat(r paystream.PayeeRecord) int64 {
	begun := int(r.Elapsed/r.Terms.Interval) + 1
	return r.FeeMsat + r.Terms.Schedule().ThroughMsat(begun)
}

// LoadPayee returns what a payee has to know after a restart.
func (l *Ledger) LoadPayee(ctx context.Context, since time.Time) (st paystream.PayeeState, err error) {
	tx, err := l.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // one moment for all queries
	if err != nil {
		return st, fmt.Errorf("payee journal: %w", err)
	}
	defer tx.Rollback()
	if st, err = loadPayee(ctx, tx, nanos(since)); err != nil {
		return paystream.PayeeState{}, fmt.Errorf("payee journal: %w", err)
	}
	return st, nil
}

func loadPayee(ctx context.Context, tx *sql.Tx, since int64) (st paystream.PayeeState, err error) {
	if st.Position, err = position(ctx, tx); err != nil {
		return st, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT handle, payment_id_hash, terms, round_ids, started, elapsed, fee_msat, bytes,
			state, reason, moved_to, moved_round, continues, continued_by, continued, closed,
			COALESCE((SELECT SUM(amount_msat) FROM bookings b WHERE b.handle = s.handle AND b.kind = 'credit'), 0)
		FROM payee_streams s WHERE (closed = 0 OR closed > $1) AND payment_id_hash <> '' ORDER BY started, handle`, since)
	if st.Streams, err = collect(rows, err, scanPayeeStream); err != nil {
		return st, err
	}
	rows, err = tx.QueryContext(ctx, `SELECT pay_index, payment_hash, label, note, offer_id, amount_msat, paid_at
		FROM bookings WHERE kind = 'unclaimed' AND paid_at > $1 ORDER BY pay_index, payment_hash`, since)
	if st.Unclaimed, err = collect(rows, err, scanSettlement); err != nil {
		return st, err
	}
	rows, err = tx.QueryContext(ctx, `SELECT line, retired FROM offered_terms WHERE retired = 0 OR retired > $1
		ORDER BY retired, terms_hash`, since)
	st.Terms, err = collect(rows, err, func(row scanner) (t paystream.RetiredTerms, err error) {
		err = row.Scan(termsColumn{&t.Terms}, timeColumn{&t.Retired})
		return t, err
	})
	return st, err
}

// PayeePosition is how far the node's settlements are booked; the zero position
// if nothing ever was.
func (l *Ledger) PayeePosition(ctx context.Context) (paystream.Position, error) {
	at, err := position(ctx, l.db)
	if err != nil {
		return at, fmt.Errorf("payee journal: %w", err)
	}
	return at, nil
}

func position(ctx context.Context, q querier) (at paystream.Position, err error) {
	var index int64
	err = q.QueryRowContext(ctx, `SELECT position, payment_hash, paid_at FROM cursors WHERE name = $1`, payIndex).
		Scan(&index, &at.PaymentHash, timeColumn{&at.PaidAt})
	if errors.Is(err, sql.ErrNoRows) {
		return paystream.Position{}, nil
	}
	at.PayIndex = uint64(index)
	return at, err
}

func oneIf(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

func scanPayeeStream(row scanner) (r paystream.PayeeRecord, err error) {
	var hash string
	err = row.Scan(&r.Handle, &hash, termsColumn{&r.Terms}, wordsColumn[paystream.RoundID]{&r.RoundIDs},
		timeColumn{&r.Start}, &r.Elapsed, &r.FeeMsat, &r.Bytes, &r.State, &r.Reason, timeColumn{&r.MovedTo}, &r.MovedRound,
		&r.Continues, &r.ContinuedBy, &r.Continued, timeColumn{&r.Closed}, &r.BalanceMsat)
	if err == nil {
		r.Hash, err = paystream.ParsePaymentIDHash(hash)
	}
	if err != nil {
		return r, fmt.Errorf("pay stream %s: %w", r.Handle, err)
	}
	return r, nil
}

func scanSettlement(row scanner) (s paystream.Settlement, err error) {
	var index int64
	err = row.Scan(&index, &s.PaymentHash, &s.Label, &s.Note, &s.OfferID, &s.AmountMsat, timeColumn{&s.PaidAt})
	s.PayIndex = uint64(index)
	return s, err
}
