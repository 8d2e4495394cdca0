package ledger

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/el-tor/tops/paystream"
)

// SavePayStream writes a pay stream of the payer's, new or changed. What was
// paid is not its to say: see LoadPayer.
func (l *Ledger) SavePayStream(ctx context.Context, r paystream.PayerRecord) error {
	if err := r.Terms.Validate(); err != nil {
		return fmt.Errorf("payer journal: pay stream %s: %w", r.Handle, err)
	}
	err := l.write(ctx, func(s *statements) error {
		_, err := s.exec(`INSERT INTO payer_streams (handle, preimage, terms, relay, round_ids, circuit, path, hop, controller,
				no_pay, started, fee_msat, state, reason, continues, opened, closed)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
			ON CONFLICT (handle) DO UPDATE SET preimage = excluded.preimage, terms = excluded.terms, relay = excluded.relay,
				round_ids = excluded.round_ids, circuit = excluded.circuit, path = excluded.path, hop = excluded.hop,
				controller = excluded.controller, no_pay = excluded.no_pay, started = excluded.started,
				fee_msat = excluded.fee_msat, state = excluded.state, reason = excluded.reason,
				continues = excluded.continues, opened = excluded.opened, closed = excluded.closed`,
			string(r.Handle), r.Preimage.Hex(), r.Terms.String(), r.Terms.Relay, joinWords(r.RoundIDs), r.Circuit, joinWords(r.Path),
			r.Hop, r.Controller, r.NoPay, nanos(r.Start), r.FeeMsat, r.State, string(r.Reason), string(r.Continues),
			nanos(r.Opened), nanos(r.Closed))
		return err
	})
	if err != nil {
		return fmt.Errorf("payer journal: pay stream %s: %w", r.Handle, err)
	}
	return nil
}

// errPaid keeps a payment from being un-paid by somebody who knows less.
var errPaid = errors.New("it is paid, and stays so")

// SavePayment writes a payment, new or changed. Its handle, note, amount and
// attempt say which one it is; that is what its payer_metadata is made of. One
// that is paid can not become anything else.
func (l *Ledger) SavePayment(ctx context.Context, r paystream.PaymentRecord) error {
	err := l.write(ctx, func(s *statements) error {
		changed, err := s.exec(`INSERT INTO payments (handle, note, amount_msat, attempt, round, through, max_fee_msat, step,
				invoice, payment_hash, expires, paying, sent_msat, created, settled, controller, circuit)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
			ON CONFLICT (handle, note, amount_msat, attempt) DO UPDATE SET round = excluded.round, through = excluded.through,
				max_fee_msat = excluded.max_fee_msat, step = excluded.step, invoice = excluded.invoice,
				payment_hash = excluded.payment_hash, expires = excluded.expires, paying = excluded.paying,
				sent_msat = excluded.sent_msat, created = excluded.created, settled = excluded.settled,
				controller = excluded.controller, circuit = excluded.circuit
				WHERE payments.step <> 'paid' OR excluded.step = 'paid'`,
			string(r.Handle), string(r.Note), r.AmountMsat, r.Attempt, r.Round, r.Through, r.MaxFeeMsat, string(r.Step),
			r.Invoice, r.PaymentHash, nanos(r.Expires), nanos(r.Paying), r.SentMsat, nanos(r.Created), nanos(r.Settled),
			r.Controller, r.Circuit)
		if err == nil && changed == 0 {
			err = errPaid
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("payer journal: payment for round %d of pay stream %s: %w", r.Round, r.Handle, err)
	}
	return nil
}

// paidMsat, routingMsat and attempts are the SQL for what the payments of the payer's pay
// stream s come to. They name no step in a condition, so that the payments are
// found by their handle and not by their step, of which there are too many.
const (
	paidMsat = `COALESCE((SELECT SUM(CASE WHEN p.step = 'paid' THEN p.amount_msat ELSE 0 END)
		FROM payments p WHERE p.handle = s.handle), 0)`
	routingMsat = `COALESCE((SELECT SUM(CASE WHEN p.step = 'paid' THEN p.sent_msat - p.amount_msat ELSE 0 END)
		FROM payments p WHERE p.handle = s.handle), 0)`
	attempts = `COALESCE((SELECT MAX(p.attempt) FROM payments p WHERE p.handle = s.handle), 0)`
)

// LoadPayer returns the pay streams that are not closed, with what their
// payments come to, and the payments that are not over.
func (l *Ledger) LoadPayer(ctx context.Context) (st paystream.PayerState, err error) {
	tx, err := l.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // one moment for both queries
	if err != nil {
		return st, fmt.Errorf("payer journal: %w", err)
	}
	defer tx.Rollback()
	rows, err := tx.QueryContext(ctx, `SELECT handle, preimage, terms, round_ids, circuit, path, hop, controller, no_pay, started,
			fee_msat, state, reason, continues, opened, closed, `+paidMsat+`, `+attempts+`
		FROM payer_streams s WHERE closed = 0 ORDER BY opened, handle`)
	if st.Streams, err = collect(rows, err, scanPayerStream); err != nil {
		return paystream.PayerState{}, fmt.Errorf("payer journal: %w", err)
	}
	rows, err = tx.QueryContext(ctx, `SELECT `+paymentColumns+` FROM payments WHERE step NOT IN ('paid', 'failed')
		ORDER BY created, handle, round, attempt, amount_msat`)
	if st.Payments, err = collect(rows, err, scanPayment); err != nil {
		return paystream.PayerState{}, fmt.Errorf("payer journal: %w", err)
	}
	return st, nil
}

func scanPayerStream(row scanner) (r paystream.PayerRecord, err error) {
	var preimage string
	err = row.Scan(&r.Handle, &preimage, termsColumn{&r.Terms}, wordsColumn[paystream.RoundID]{&r.RoundIDs}, &r.Circuit,
		wordsColumn[string]{&r.Path}, &r.Hop, &r.Controller, &r.NoPay, timeColumn{&r.Start}, &r.FeeMsat, &r.State, &r.Reason,
		&r.Continues, timeColumn{&r.Opened}, timeColumn{&r.Closed}, &r.PaidMsat, &r.Attempts)
	if err == nil {
		r.Preimage, err = paystream.ParsePreimage(preimage)
	}
	if err != nil {
		return r, fmt.Errorf("pay stream %s: %w", r.Handle, err)
	}
	return r, nil
}

const paymentColumns = `handle, note, amount_msat, attempt, round, through, max_fee_msat, step, invoice, payment_hash,
	expires, paying, sent_msat, created, settled, controller, circuit`

func scanPayment(row scanner) (r paystream.PaymentRecord, err error) {
	err = row.Scan(&r.Handle, &r.Note, &r.AmountMsat, &r.Attempt, &r.Round, &r.Through, &r.MaxFeeMsat, &r.Step, &r.Invoice,
		&r.PaymentHash, timeColumn{&r.Expires}, timeColumn{&r.Paying}, &r.SentMsat, timeColumn{&r.Created},
		timeColumn{&r.Settled}, &r.Controller, &r.Circuit)
	return r, err
}

// Secret returns the key of payer_metadata, and draws it the first time.
func (l *Ledger) Secret(ctx context.Context) (key [32]byte, err error) {
	err = l.write(ctx, func(s *statements) error {
		var fresh [32]byte
		rand.Read(fresh[:]) // never fails: see crypto/rand
		if _, err := s.exec(`INSERT INTO secrets (name, value) VALUES ('payer_metadata', $1) ON CONFLICT (name) DO NOTHING`,
			hex.EncodeToString(fresh[:])); err != nil {
			return err
		}
		var kept string
		if err := s.scan(`SELECT value FROM secrets WHERE name = 'payer_metadata'`, nil, &kept); err != nil {
			return err
		}
		raw, err := hex.DecodeString(kept)
		if err != nil || len(raw) != len(key) {
			return errors.New("the payer's secret is damaged") // err would quote it
		}
		copy(key[:], raw)
		return nil
	})
	if err != nil {
		return [32]byte{}, fmt.Errorf("payer journal: %w", err)
	}
	return key, nil
}
