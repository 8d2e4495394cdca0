package e2e_test

import (
	"slices"
	"testing"

	"github.com/el-tor/tops/internal/app"
)

// reload changes prices and budgets while both run, and back.
func (w *world) reload(t *testing.T) {
	relayCfg, prices := *w.relay.cfg, *w.relay.cfg.Relay
	relayCfg.Relay = &prices
	prices.RateMsat, prices.FinalMsat, prices.Port = 3000, 6000, 1
	r, err := w.relay.app.Reload(t.Context(), &relayCfg)
	if err != nil || !slices.Equal(r.Changed, []string{"relay.rate_msat", "relay.final_msat"}) || !slices.Equal(r.Restart, []string{"relay.port"}) {
		t.Errorf("%+v, %v; want the prices changed, and a restart for the port", r, err)
	}
	if got := w.terms(t); got.RateMsat != 3000 || got.FinalMsat != 6000 || got.Gateway.Port() != gwPort {
		t.Errorf("the gateway offers %v", got)
	}
	prices.Rounds = 1 // which no terms can have
	if _, err := w.relay.app.Reload(t.Context(), &relayCfg); err == nil {
		t.Error("terms of one round were taken")
	}
	if got := w.terms(t); got.RateMsat != 3000 {
		t.Errorf("after a reload that failed the gateway offers %v", got)
	}
	if r, err = w.relay.app.Reload(t.Context(), w.relay.cfg); err != nil || len(r.Changed) != 2 || len(r.Restart) != 0 {
		t.Errorf("back: %+v, %v", r, err)
	}
	if got := w.terms(t); got.RateMsat != w.relay.cfg.Relay.RateMsat {
		t.Errorf("back, the gateway offers %v", got)
	}

	clientCfg, budget := *w.client.cfg, *w.client.cfg.Client
	clientCfg.Client = &budget
	budget.DayMsat += 7
	day := func() int64 {
		t.Helper()
		st, err := app.AskStatus(t.Context(), w.client.cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range st.Budget {
			if u.Which == "day" {
				return u.LimitMsat
			}
		}
		t.Fatalf("no budget of a day in %+v", st.Budget)
		return 0
	}
	before := day()
	if r, err := w.client.app.Reload(t.Context(), &clientCfg); err != nil || !slices.Equal(r.Changed, []string{"client.day_msat"}) || len(r.Restart) != 0 {
		t.Errorf("%+v, %v; want the budget of a day changed", r, err)
	}
	if got := day(); got != before+7 {
		t.Errorf("a day's budget is %d, want %d", got, before+7)
	}
	if _, err := w.client.app.Reload(t.Context(), w.client.cfg); err != nil || day() != before {
		t.Errorf("back, a day's budget is %d, %v", day(), err)
	}
}
