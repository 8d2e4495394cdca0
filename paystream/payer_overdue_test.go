package paystream_test

import (
	"testing"
	"time"

	"github.com/el-tor/tops/paystream"
)

// Rounds that an outage of the payee left unpaid are paid together, the last one
// with them: its deadline did not move, and it would be cut for it.
func TestBothEndsLastRoundAfterOutage(t *testing.T) {
	bothEnds(t, relayTerms(), func(w *payerWorld, r *relay, link *payeeLink) {
		began := time.Now()
		h := w.openWith(link)
		w.at(began, 8*time.Minute+10*time.Second) // rounds up to 8 are paid
		w.node.setAway(true)
		r.node.setAway(true)
		w.at(began, 10*time.Minute+5*time.Second) // past the deadline of 9, not yet that of 10
		r.node.setAway(false)
		w.node.setAway(false)
		w.wait(time.Minute)
		w.wantPayee(r, h, paystream.StatusCompleted, 10_000)
		w.wantSent(10_000, 8) // 2 to 8 one by one, then both
	})
}
