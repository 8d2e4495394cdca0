package paystream_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/el-tor/tops/paystream"
)

// What a node that was restored counts anew is credited; what it tells for a second time is not.
func TestRewind(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		p := r.open()
		p.sleepUntil(115 * time.Second)
		p.pay(2)
		p.sleepUntil(175 * time.Second)
		p.pay(3)
		stranger := paystream.Settlement{PayIndex: 3, PaymentHash: fmt.Sprintf("%064x", 3), Note: "hello", OfferID: ourOffer, AmountMsat: 7, PaidAt: time.Now()}
		if err := r.Deliver(t.Context(), []paystream.Settlement{stranger}); err != nil {
			t.Fatal(err)
		}

		first := r.journal.Bookings()[0].Settlement
		anew := first
		anew.PayIndex, anew.PaymentHash, anew.Note, anew.PaidAt = 2, fmt.Sprintf("%064x", 77), string(p.note(4)), time.Now()
		if err := r.Deliver(t.Context(), []paystream.Settlement{anew}); err != nil {
			t.Fatal(err)
		}
		if v := p.view(); v.BalanceMsat != 2000 {
			t.Fatalf("balance %d: a pay_index that was delivered before counts without a rewind", v.BalanceMsat)
		}

		r.journal.Fail(errors.New("disk full"))
		if err := r.Rewind(t.Context(), paystream.Position{}); err == nil {
			t.Error("a rewind that cannot be written down is none")
		}
		r.journal.Fail(nil)
		to := first.Position()
		to.PayIndex--
		if err := r.Rewind(t.Context(), to); err != nil {
			t.Fatal(err)
		}
		if st, err := r.journal.LoadPayee(t.Context(), time.Time{}); err != nil || st.PayIndex != to.PayIndex {
			t.Errorf("the journal is at %+v, %v", st.Position, err)
		}
		history := []paystream.Settlement{first, anew, stranger}
		r.node.set(func() { r.node.paid, r.node.delivered = history, len(history) })
		if err := r.Deliver(t.Context(), history); err != nil {
			t.Fatal(err)
		}
		if v := p.view(); v.BalanceMsat != 3000 || v.PaidThrough != 4 {
			t.Errorf("balance %d, paid through %d; want the new payment and no other", v.BalanceMsat, v.PaidThrough)
		}
		if got := r.booked("", paystream.BookedUnclaimed); got != 7 {
			t.Errorf("%d msat unclaimed, want 7 once", got)
		}

		r.restart(time.Second)
		if v := p.view(); v.BalanceMsat != 3000 {
			t.Errorf("balance %d after a restart", v.BalanceMsat)
		}
	})
}
