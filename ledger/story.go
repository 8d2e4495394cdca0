package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/el-tor/tops/paystream"
)

// Role is a side of a pay stream.
type Role string

// The two sides.
const (
	Payer Role = "payer" // we pay
	Payee Role = "payee" // we are paid
)

// Payment is a payment of ours, as the payer journalled it.
type Payment = paystream.PaymentRecord

// Row is a pay stream in the books: its record without its secrets.
type Row struct {
	Handle      paystream.Handle `json:"handle"`
	Role        Role             `json:"role"`
	Relay       string           `json:"relay"` // fingerprint
	State       string           `json:"state"`
	Reason      paystream.Reason `json:"reason,omitempty"`
	Start       time.Time        `json:"start"`
	Closed      time.Time        `json:"closed,omitzero"`
	PaidMsat    int64            `json:"paid_msat"`              // settled (payer) or credited (payee)
	FeeMsat     int64            `json:"fee_msat"`               // the opening fee
	Bytes       int64            `json:"bytes,omitempty"`        // tunnelled, payee only
	RoutingMsat int64            `json:"routing_msat,omitempty"` // what PaidMsat cost on top; payer only, and so the next three
	Circuit     string           `json:"circuit,omitempty"`
	Hop         int              `json:"hop,omitempty"`
	Controller  string           `json:"controller,omitempty"`

	Continues   paystream.Handle `json:"continues,omitempty"`
	ContinuedBy paystream.Handle `json:"continued_by,omitempty"` // payee only
}

// Filter chooses pay streams. Its zero value chooses all of them.
type Filter struct {
	Role       Role             // empty: both
	Live       bool             // only those that are not closed
	Since      time.Time        // only those that are live or closed at or after it
	Controller string           // only those that this controller's budget paid
	Handle     paystream.Handle // only this one
	Limit      int              // at most so many, the latest ones; 0: no limit
}

// PayStreams lists pay streams, the latest first.
func (l *Ledger) PayStreams(ctx context.Context, f Filter) ([]Row, error) {
	if f.Limit <= 0 {
		f.Limit = 1 << 31
	}
	var all []Row
	for _, side := range []struct {
		role  Role
		query string
	}{
		{Payer, `SELECT handle, 'payer', relay, state, reason, CASE WHEN started = 0 THEN opened ELSE started END AS begun, closed,
				` + paidMsat + `,
				fee_msat, 0, ` + routingMsat + `, circuit, hop, controller, continues, '' FROM payer_streams s`},
		{Payee, `SELECT handle, 'payee', relay, state, reason, started AS begun, closed,
				COALESCE((SELECT SUM(amount_msat) FROM bookings b WHERE b.handle = s.handle AND b.kind = 'credit'), 0),
				fee_msat, bytes, 0, '', 0, '', continues, continued_by FROM payee_streams s`},
	} {
		if f.Role != "" && f.Role != side.role || f.Controller != "" && side.role == Payee {
			continue
		}
		query, args := f.where(side.query)
		rows, err := l.db.QueryContext(ctx, query, args...)
		some, err := collect(rows, err, scanRow)
		if err != nil {
			return nil, fmt.Errorf("books: %w", err)
		}
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(a, b Row) int {
		return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(a.Handle, b.Handle))
	})
	return all[:min(len(all), f.Limit)], nil
}

// where adds the filter to a query. What it puts into the text is its own.
func (f Filter) where(query string) (string, []any) {
	var args []any
	add := func(condition string, arg any) {
		args = append(args, arg)
		query += fmt.Sprintf(condition, len(args))
	}
	query += " WHERE 1 = 1"
	if f.Live {
		query += " AND closed = 0"
	}
	if !f.Since.IsZero() {
		add(" AND (closed = 0 OR closed >= $%d)", nanos(f.Since))
	}
	if f.Controller != "" {
		add(" AND controller = $%d", f.Controller)
	}
	if f.Handle != "" {
		add(" AND handle = $%d", string(f.Handle))
	}
	query += " ORDER BY begun DESC, handle"
	add(" LIMIT $%d", f.Limit)
	return query, args
}

func scanRow(row scanner) (r Row, err error) {
	err = row.Scan(&r.Handle, &r.Role, &r.Relay, &r.State, &r.Reason, timeColumn{&r.Start}, timeColumn{&r.Closed}, &r.PaidMsat,
		&r.FeeMsat, &r.Bytes, &r.RoutingMsat, &r.Circuit, &r.Hop, &r.Controller, &r.Continues, &r.ContinuedBy)
	return r, err
}

// ErrNoPayStream is what [Ledger.PayStream] returns for a handle that is not in
// the books.
var ErrNoPayStream = errors.New("no such pay stream in the books")

// Story is one pay stream, told. A process that pays itself has both sides of
// it in its books. As JSON it leaves out what an operator has no use for: see
// [Story.MarshalJSON].
type Story struct {
	Sides    []Row
	Payments []Payment           // ours, as payer
	Bookings []paystream.Booking // to us, as payee
}

// PayStream tells the story of one pay stream.
func (l *Ledger) PayStream(ctx context.Context, h paystream.Handle) (s Story, err error) {
	if s.Sides, err = l.PayStreams(ctx, Filter{Handle: h}); err != nil {
		return s, err
	}
	if len(s.Sides) == 0 {
		return s, fmt.Errorf("%w: %q", ErrNoPayStream, h)
	}
	rows, err := l.db.QueryContext(ctx, `SELECT `+paymentColumns+` FROM payments WHERE handle = $1
		ORDER BY created, round, attempt`, string(h))
	if s.Payments, err = collect(rows, err, scanPayment); err != nil {
		return s, fmt.Errorf("books: %w", err)
	}
	rows, err = l.db.QueryContext(ctx, `SELECT `+bookingColumns+` FROM bookings WHERE handle = $1
		ORDER BY paid_at, pay_index`, string(h))
	if s.Bookings, err = collect(rows, err, scanBooking); err != nil {
		return s, fmt.Errorf("books: %w", err)
	}
	return s, nil
}

const bookingColumns = `pay_index, payment_hash, label, note, offer_id, amount_msat, paid_at, kind, handle, round, booked_at`

func scanBooking(row scanner) (k paystream.Booking, err error) {
	var index int64
	err = row.Scan(&index, &k.PaymentHash, &k.Label, &k.Note, &k.OfferID, &k.AmountMsat, timeColumn{&k.PaidAt},
		&k.Kind, &k.Handle, &k.Round, timeColumn{&k.At})
	k.PayIndex = uint64(index)
	return k, err
}
