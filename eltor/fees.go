package eltor

import (
	"context"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// Fees is a payee's node through which opening fees come that were paid in El Tor's
// way: the handshake hash of a circuit is the payment hash of the payment itself.
// The engine knows a fee by its note; so such a payment, whose note is no id, gets
// the note that its payment hash stands for, and is kept for the circuit that shows
// the hash and its preimage.
type Fees struct {
	paystream.Receiver
	Terms func() policies.Terms // those that are offered
}

// Run implements paystream.Receiver.
func (f Fees) Run(ctx context.Context, from paystream.Position, sink paystream.Sink) error {
	return f.Receiver.Run(ctx, from, feeSink{sink, f})
}

type feeSink struct {
	paystream.Sink
	fees Fees
}

// Deliver implements paystream.Sink.
func (s feeSink) Deliver(ctx context.Context, batch []paystream.Settlement) error {
	out := make([]paystream.Settlement, len(batch))
	for i, st := range batch {
		out[i] = s.fees.note(st)
	}
	return s.Sink.Deliver(ctx, out)
}

func (f Fees) note(st paystream.Settlement) paystream.Settlement {
	hash, err := paystream.ParsePaymentIDHash(st.PaymentHash)
	if st.OfferID == "" || err != nil {
		return st
	}
	if _, err := paystream.ParseRoundID(st.Note); err == nil {
		return st
	}
	st.Note = string(hash.RoundID(f.Terms().Hash(), 0))
	return st
}
