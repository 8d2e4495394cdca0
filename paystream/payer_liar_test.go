package paystream_test

import (
	"testing"
	"time"

	"github.com/el-tor/tops/paystream"
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

// A relay's words are not repeated to controllers: only reasons that there are.
func TestPayerRepeatsNoWordsOfARelay(t *testing.T) {
	for said, want := range map[paystream.Reason]string{"BUYMYTHINGS": "CLOSED RELAY", "": "CLOSED RELAY", paystream.ReasonClient: "CLOSED CLIENT"} {
		payerBubble(t, func(w *payerWorld) {
			w.start()
			h := w.open()
			w.relay.locked(func() { w.relay.answer = func() error { return &paystream.Demand{Reason: said} } })
			w.payer.Ask(h)
			w.wait(time.Second)
			w.want(want)
		})
	}
}
