package gateway_test

import (
	"io"
	"testing"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/paystream"
	"github.com/google/go-cmp/cmp"
)

func TestStats(t *testing.T) {
	w := newWorld(t, nil)
	w.open(t)
	near, far := w.tunnel(t)
	mustWrite(t, near, "question")
	mustRead(t, far, "question")
	near.CloseWrite()
	if b, err := io.ReadAll(far); err != nil || len(b) > 0 { // what it said before has been counted by now
		t.Fatalf("after the half-close the target read %q, %v", b, err)
	}
	if _, err := w.client.View(t.Context(), paystream.PaymentIDHash{1}); err == nil {
		t.Error("somebody's pay stream that is nobody's was shown")
	}
	st := w.server.Stats()
	if st.Tunnels != 1 || st.Tunnelled != int64(len("question")) || st.Connections < 1 {
		t.Errorf("%+v: want one tunnel with 8 bytes", st)
	}
	if diff := cmp.Diff(map[gateway.Refusal]int64{gateway.RefusedUnknown: 1}, st.Refused); diff != "" {
		t.Errorf("refusals (-want +got):\n%s", diff)
	}
}
