package eltor_test

import (
	"context"
	"testing"

	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal"
	"github.com/el-tor/tops/policies"
)

// node delivers what it is given.
type node struct {
	paystream.Receiver
	batch []paystream.Settlement
}

func (n node) Run(ctx context.Context, _ paystream.Position, sink paystream.Sink) error {
	return sink.Deliver(ctx, n.batch)
}

type sink struct{ got []paystream.Settlement }

func (s *sink) Deliver(_ context.Context, batch []paystream.Settlement) error {
	s.got = append(s.got, batch...)
	return nil
}

// TestFees: a payment without an id for a note stands for its payment hash.
func TestFees(t *testing.T) {
	p := eltor.NewPayload()
	terms := newEngine().Terms()
	in := []paystream.Settlement{
		{PaymentHash: p.Hash.Hex(), OfferID: "o", Note: "", AmountMsat: 5},
		{PaymentHash: p.Hash.Hex(), OfferID: "o", Note: "thank you", AmountMsat: 5},
		{PaymentHash: p.Hash.Hex(), OfferID: "o", Note: string(p.RoundIDs[0]), AmountMsat: 5},
		{PaymentHash: p.Hash.Hex(), Label: "coffee", AmountMsat: 5},
		{PaymentHash: "no hash", OfferID: "o", AmountMsat: 5},
	}
	var s sink
	if err := (eltor.Fees{Receiver: node{batch: in}, Terms: func() policies.Terms { return terms }}).Run(t.Context(), paystream.Position{}, &s); err != nil {
		t.Fatal(err)
	}
	fee := string(p.Hash.RoundID(terms.Hash(), 0))
	for i, want := range []string{fee, fee, string(p.RoundIDs[0]), "", ""} {
		if s.got[i].Note != want || s.got[i].AmountMsat != 5 {
			t.Errorf("%d: note %q, want %q", i, s.got[i].Note, want)
		}
	}
	if in[0].Note != "" {
		t.Error("the node's own was changed")
	}
}

// TestBooks: what was not paid and could not be ended stands so in the books.
func TestBooks(t *testing.T) {
	j := memjournal.New()
	p := eltor.NewPayload()
	rec := paystream.PayeeRecord{Hash: p.Hash, Handle: p.Hash.Handle(), Terms: newEngine().Terms(), RoundIDs: p.RoundIDs, State: "LATE", Reason: paystream.ReasonLate}
	if _, err := (eltor.Books{PayeeJournal: j}).CommitPayee(t.Context(), paystream.PayeeBatch{Streams: []paystream.PayeeRecord{rec}}); err != nil {
		t.Fatal(err)
	}
	state, err := j.LoadPayee(t.Context(), rec.Closed.Add(-1))
	if err != nil || len(state.Streams) != 1 || state.Streams[0].Reason != eltor.ReasonUnended {
		t.Errorf("%+v, %v", state.Streams, err)
	}
	if rec.Reason != paystream.ReasonLate {
		t.Error("the engine's own was changed")
	}
}

func (s *sink) Rewind(context.Context, paystream.Position) error { return nil }
