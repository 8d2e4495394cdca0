package client

import (
	"math"
	"testing"

	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/paystream"
)

// The exits that circuits are built to are those that the policy has: what tor is
// asked for is counted.
func TestCircuitsAreBuiltByThePolicy(t *testing.T) {
	const circuits = 300
	for _, tc := range []struct {
		name   string
		policy func(*config.Client)
		want   [3]float64 // the share of each exit
	}{
		{"the price does not matter", func(c *config.Client) { c.Thrift = 0 }, [3]float64{0.25, 0.25, 0.5}},
		{"half the price counts four times", func(c *config.Client) { c.Thrift = 2 }, [3]float64{8. / 11, 2. / 11, 1. / 11}},
		{"the dearest is beyond the cap", func(c *config.Client) { c.Thrift, c.MaxRoundMsat = 0, 2000 }, [3]float64{0.5, 0.5, 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFakeTor(t, fakeRelay{rateMsat: 1000}, fakeRelay{rateMsat: 2000}, fakeRelay{rateMsat: 4000, bandwidth: 200})
			c, end := clientOf(t, f, tc.policy)
			defer end()
			for range circuits {
				p, err := c.buildSpare(t.Context(), false)
				if err != nil {
					t.Fatal(err)
				}
				p.leave(t.Context(), paystream.ReasonClient)
			}
			got := make(map[string]int)
			for _, exit := range f.asked() {
				got[exit]++
			}
			for i, share := range tc.want {
				n, mean := float64(got[f.relays[3+i].fingerprint]), share*circuits
				if far := 5 * math.Sqrt(mean*(1-share)); math.Abs(n-mean) > far {
					t.Errorf("exit %d: %v of %d circuits, want %.0f or at most %.0f more or less", i, n, circuits, mean, far)
				}
			}
			if n := f.open(); n > 0 {
				t.Errorf("%d circuits are left", n)
			}
		})
	}
}
