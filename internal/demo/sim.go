package demo

import (
	"context"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/cln/clnsim"
)

// sim is the play money, from outside its process: what really happened.
type sim struct{ *cln.Client }

func newSim(control string) sim { return sim{cln.NewClient(control)} }

// payments lists every payment that began.
func (s sim) payments(ctx context.Context) ([]clnsim.Payment, error) {
	var out struct {
		Payments []clnsim.Payment `json:"payments"`
	}
	err := s.Call(ctx, "payments", struct{}{}, &out)
	return out.Payments, err
}

// received sums what a node has received, and counts the payments.
func (s sim) received(ctx context.Context, from, to string) (msat int64, n int, err error) {
	all, err := s.payments(ctx)
	for _, p := range all {
		if p.Status == clnsim.Complete && (from == "" || p.From == from) && p.To == to {
			msat += p.AmountMsat
			n++
		}
	}
	return msat, n, err
}

// faults makes a node misbehave.
func (s sim) faults(ctx context.Context, node string, set map[string]string) error {
	return s.Call(ctx, "faults", map[string]any{"node": node, "set": set}, nil)
}

// audit checks that no money was made or lost.
func (s sim) audit(ctx context.Context) (ok bool, differences string, err error) {
	var out struct {
		OK          bool   `json:"ok"`
		Differences string `json:"differences"`
	}
	err = s.Call(ctx, "audit", struct{}{}, &out)
	return out.OK, out.Differences, err
}
