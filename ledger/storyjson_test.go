package ledger_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal/journaltest"
)

// All that is told of a pay stream as JSON, to the letter: whatever is added to
// a record later does not get out by itself.
func TestStoryAsJSON(t *testing.T) {
	l := open(t, newPlace(t))
	payer := journaltest.PayerStream(1)
	payer.Opened = epoch
	if err := l.SavePayStream(t.Context(), payer); err != nil {
		t.Fatal(err)
	}
	if err := l.SavePayment(t.Context(), ledger.Payment{Handle: payer.Handle, Round: 2, Through: 4, Attempt: 1, Note: "the note",
		AmountMsat: 3000, MaxFeeMsat: 10, Step: paystream.StepPaid, Invoice: "the invoice", PaymentHash: "the hash",
		Expires: epoch.Add(time.Hour), Paying: epoch.Add(time.Second), SentMsat: 3003, Created: epoch,
		Settled: epoch.Add(2 * time.Second), Controller: "alice", Circuit: "12"}); err != nil {
		t.Fatal(err)
	}
	pay(t, l, 1, "alice", "12", paystream.StepIntent, 1000, epoch.Add(time.Minute))
	payee := journaltest.PayeeStream(1)
	payee.Start = epoch.Add(-time.Second)
	earn(t, l, payee, come(1, paystream.BookedCredit, payee.Handle, 3000, epoch))

	story, err := l.PayStream(t.Context(), payer.Handle)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(story, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the story", `{
  "sides": [
    {
      "handle": "c60ad3236b6b68ee",
      "role": "payer",
      "relay": "0123456789ABCDEF0123456789ABCDEF01234567",
      "state": "due",
      "start": "2030-03-04T23:30:00Z",
      "paid_msat": 3000,
      "fee_msat": 0,
      "routing_msat": 3,
      "circuit": "12",
      "hop": 3
    },
    {
      "handle": "c60ad3236b6b68ee",
      "role": "payee",
      "relay": "0123456789ABCDEF0123456789ABCDEF01234567",
      "state": "due",
      "start": "2030-03-04T23:29:59Z",
      "paid_msat": 3000,
      "fee_msat": 0
    }
  ],
  "payments": [
    {
      "handle": "c60ad3236b6b68ee",
      "round": 2,
      "through": 4,
      "attempt": 1,
      "step": "paid",
      "amount_msat": 3000,
      "max_fee_msat": 10,
      "sent_msat": 3003,
      "created": "2030-03-04T23:30:00Z",
      "paying": "2030-03-04T23:30:01Z",
      "settled": "2030-03-04T23:30:02Z"
    },
    {
      "handle": "c60ad3236b6b68ee",
      "round": 2,
      "through": 2,
      "attempt": 1,
      "step": "intent",
      "amount_msat": 1000,
      "max_fee_msat": 10,
      "created": "2030-03-04T23:31:00Z"
    }
  ],
  "bookings": [
    {
      "handle": "c60ad3236b6b68ee",
      "round": 2,
      "kind": "credit",
      "amount_msat": 3000,
      "paid_at": "2030-03-04T23:30:00Z",
      "booked_at": "2030-03-04T23:30:00Z"
    }
  ]
}`, string(got))

	got, err = json.Marshal(ledger.Story{Sides: []ledger.Row{}})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "an empty story", `{"sides":[],"payments":[],"bookings":[]}`, string(got))
}
