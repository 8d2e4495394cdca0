package ledger

import (
	"encoding/json"
	"time"

	"github.com/el-tor/tops/paystream"
)

// MarshalJSON writes the story with "sides", "payments" and "bookings". Of a
// payment it tells the rounds, the amounts, how far it came and when: no
// invoice, no note and no hash, which would let a reader of the output link it
// to what the node or the payer knows.
func (s Story) MarshalJSON() ([]byte, error) {
	told := struct {
		Sides    []Row         `json:"sides"`
		Payments []paymentJSON `json:"payments"`
		Bookings []bookingJSON `json:"bookings"`
	}{s.Sides, make([]paymentJSON, len(s.Payments)), make([]bookingJSON, len(s.Bookings))}
	for i, p := range s.Payments {
		told.Payments[i] = paymentJSON{p.Handle, p.Round, p.Through, p.Attempt, p.Step, p.AmountMsat, p.MaxFeeMsat, p.SentMsat,
			p.Created, p.Paying, p.Settled}
	}
	for i, k := range s.Bookings {
		told.Bookings[i] = bookingJSON{k.Handle, k.Round, k.Kind, k.AmountMsat, k.PaidAt, k.At}
	}
	return json.Marshal(told)
}

// paymentJSON is a payment of ours.
type paymentJSON struct {
	Handle     paystream.Handle      `json:"handle"`
	Round      int                   `json:"round"`   // 0 is the opening fee
	Through    int                   `json:"through"` // the last round that it pays
	Attempt    int                   `json:"attempt"`
	Step       paystream.PaymentStep `json:"step"`
	AmountMsat int64                 `json:"amount_msat"`
	MaxFeeMsat int64                 `json:"max_fee_msat"`
	SentMsat   int64                 `json:"sent_msat,omitempty"` // routing included, once paid
	Created    time.Time             `json:"created"`
	Paying     time.Time             `json:"paying,omitzero"`
	Settled    time.Time             `json:"settled,omitzero"`
}

// bookingJSON is a payment to us.
type bookingJSON struct {
	Handle     paystream.Handle      `json:"handle"`
	Round      int                   `json:"round"`
	Kind       paystream.BookingKind `json:"kind"`
	AmountMsat int64                 `json:"amount_msat"`
	PaidAt     time.Time             `json:"paid_at"`
	BookedAt   time.Time             `json:"booked_at"`
}
