package paystream_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/google/go-cmp/cmp"
)

func TestPayerPaysTenRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPayerWorld(t)
		w.start()
		defer w.stop()
		began := time.Now()
		h := w.open()
		for r := 1; r <= 10; r++ {
			// Half of the lead before it is due every round is paid, and 20 s before none is.
			time.Sleep(time.Until(began.Add(time.Duration(r)*time.Minute - 20*time.Second)))
			want := payerTerms().Schedule().ThroughMsat(r - 1)
			if got := w.relay.received(); got != want {
				t.Errorf("20 s before round %d was due, %d msat were paid, want %d", r, got, want)
			}
			time.Sleep(10*time.Second + time.Millisecond)
			want = payerTerms().Schedule().ThroughMsat(r)
			if got := w.relay.received(); got != want {
				t.Errorf("less than 10 s before round %d was due, %d msat were paid, want %d", r, got, want)
			}
		}
		if st, err := w.payer.PayStream(h); err != nil || st.Status != paystream.StatusPaid {
			t.Errorf("before the end: %+v, %v", st, err)
		}
		time.Sleep(10 * time.Second)
		if st, err := w.payer.PayStream(h); err != nil || st.Status != paystream.StatusCompleted {
			t.Errorf("after the end: %+v, %v", st, err)
		}
		if sent, n := w.node.sentMsat(); sent != 10_000 || n != 9 {
			t.Errorf("%d msat in %d payments, want 10000 in 9", sent, n)
		}
		w.agree()
		want := []string{"TERMS", "INTENT", "FREE"}
		for range 9 {
			want = append(want, "DUE", "PAYING", "PAID")
		}
		want = append(want, "COMPLETED COMPLETED")
		if diff := cmp.Diff(want, w.told()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}
