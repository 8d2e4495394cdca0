package paystream_test

import (
	"testing"
	"time"
)

// A relay that says that more time has passed than has is not paid for it: no more is
// lost than the round that runs.
func TestPayerDoesNotPayForTimeThatHasNotPassed(t *testing.T) {
	payerBubble(t, func(w *payerWorld) {
		w.policy.Risk = 1
		w.start()
		began := time.Now()
		w.relay.begins = began.Add(-9*time.Minute - 30*time.Second)
		w.relay.moved = began.Add(time.Hour)
		w.open()
		w.at(began, 50*time.Second)
		if sent, _ := w.node.sentMsat(); sent > 1000 {
			t.Errorf("%d msat were sent in the first round", sent)
		}
		w.at(began, 10*time.Minute+20*time.Second)
		w.agree()
	})
}
