package paystream_test

import (
	"testing"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/google/go-cmp/cmp"
)

// Those that paid come first, then the latest, no more than asked for; what is over
// is not in the list.
func TestLive(t *testing.T) {
	bubble(t, relayTerms(), func(r *relay) {
		open := func() *payer {
			p := r.open()
			time.Sleep(time.Second)
			return p
		}
		over, payer, old, young := open(), open(), open(), open()
		payer.pay(2)
		if _, err := r.End(t.Context(), over.hash, over.preimage); err != nil {
			t.Fatal(err)
		}
		handles := func(limit int) (out []paystream.Handle) {
			list, load := r.Live(limit)
			if want := (paystream.Load{PayStreams: 3, Free: 2}); load != want {
				t.Errorf("load %+v, want %+v", load, want)
			}
			for _, s := range list {
				out = append(out, s.Handle)
			}
			return out
		}
		want := []paystream.Handle{payer.hash.Handle(), young.hash.Handle(), old.hash.Handle()}
		if diff := cmp.Diff(want, handles(10)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want[:2], handles(2)); diff != "" {
			t.Errorf("at most two (-want +got):\n%s", diff)
		}
		if got := handles(0); got != nil {
			t.Errorf("at most none: %v", got)
		}
	})
}
