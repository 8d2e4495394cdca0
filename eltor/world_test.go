package eltor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/eltor/eltorsim"
	"github.com/el-tor/tops/paystream"
)

// short rounds, and as much grace as there can be: a payment takes a while on a busy
// machine.
const short = `[relay]
interval = "2s"
grace = "2s"
rate_msat = 1000
`

// TestRounds: three relays of ours and a client of ours, ten rounds, both dialects
// in one circuit.
func TestRounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var relays []*tops
	for i, name := range []string{"guard", "middle", "exit"} {
		dialect := rune(eltorsim.B)
		if i == 1 {
			dialect = eltorsim.A
		}
		relays = append(relays, w.run(t, name, w.relay(t, name, dialect), w.node(t, name), short))
	}
	tor := w.client(t, eltorsim.B)
	client := w.run(t, "client", tor, w.node(t, "payer"), `[client]
socks = "127.0.0.1:0"
max_circuit_msat = 100_000
`)
	if c := client.status(t).Carriers["client"]; !strings.HasPrefix(c, "native") {
		t.Fatalf("the carrier is %q", c)
	}
	done := func(x *tops, role string) (n int) {
		for _, s := range x.status(t).PayStreams {
			if s.Role == role && s.Status == paystream.StatusCompleted && s.PaidThrough == 10 {
				n++
			}
		}
		return n
	}
	until(t, "every pay stream to be completed", 40*time.Second, func() bool {
		for _, r := range relays {
			if done(r, "payee") == 0 {
				return false
			}
		}
		return done(client, "payer") == 3
	})
	for _, r := range relays {
		st := r.status(t)
		if st.Totals.EarnedMsat != 10_000 || st.Totals.UnclaimedMsat != 0 || st.Totals.LateMsat != 0 {
			t.Errorf("%s: %+v", r.name, st.Totals)
		}
	}
	if got := client.status(t).Totals.SpentMsat; got < 30_000 {
		t.Errorf("the client spent %d msat", got)
	}
	if why := tor.Died(); why != "" {
		t.Errorf("the client's tor died: %s", why)
	}
}
