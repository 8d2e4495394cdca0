package policies_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/el-tor/tops/policies"
)

var budgetEpoch = time.Date(2030, 1, 1, 23, 30, 0, 0, time.UTC)

func key(n int) policies.Spend {
	return policies.Spend{Controller: "alice", Circuit: "1", Key: fmt.Sprint(n)}
}

func wantOver(t *testing.T, err error, which string) {
	t.Helper()
	var over *policies.OverBudget
	if !errors.As(err, &over) || over.Which != which {
		t.Errorf("error = %v, want one about the budget of the %s", err, which)
	}
}

func TestHeldCountsUntilReleased(t *testing.T) {
	now := budgetEpoch
	b := policies.NewBudget(policies.Limits{HourMsat: 1000})
	if err := b.Hold(now, key(1), 600); err != nil {
		t.Fatal(err)
	}
	wantOver(t, b.Hold(now, key(2), 401), "hour")
	if err := b.Hold(now, key(2), 400); err != nil {
		t.Errorf("to the last msat: %v", err)
	}
	b.Release("1")
	b.Release("1") // once is enough
	if err := b.Hold(now, key(3), 600); err != nil {
		t.Errorf("after the release: %v", err)
	}
	// A held payment counts however old it is.
	wantOver(t, b.Hold(now.Add(48*time.Hour), key(4), 1), "hour")
}

func TestPaymentsWithoutACircuitDoNotAddUp(t *testing.T) {
	b := policies.NewBudget(policies.Limits{CircuitMsat: 1000})
	fee := func(key string) policies.Spend { return policies.Spend{Controller: "alice", Key: key} }
	for _, k := range []string{"1", "2"} {
		if err := b.Hold(budgetEpoch, fee(k), 600); err != nil {
			t.Fatal(err)
		}
		b.Settle(k, budgetEpoch, 600)
	}
	wantOver(t, b.Hold(budgetEpoch, fee("3"), 1001), "circuit ")
	if left := b.Left(budgetEpoch); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
	if err := b.Hold(budgetEpoch.Add(25*time.Hour), fee("4"), 1000); err != nil {
		t.Errorf("a day later: %v", err)
	}
}

func TestSettlingFreesWhatRoutingDidNotTake(t *testing.T) {
	b := policies.NewBudget(policies.Limits{DayMsat: 1000})
	if err := b.Hold(budgetEpoch, key(1), 1000); err != nil {
		t.Fatal(err)
	}
	b.Settle("1", budgetEpoch, 900)
	b.Settle("1", budgetEpoch, 900) // reported twice, spent once
	b.Release("1")                  // too late to give back
	want := []policies.Use{{Which: "day", LimitMsat: 1000, SpentMsat: 900}}
	if diff := cmp.Diff(want, b.Left(budgetEpoch)); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

func TestHoldingAgainChangesTheAmount(t *testing.T) {
	b := policies.NewBudget(policies.Limits{CircuitMsat: 1000})
	for _, msat := range []int64{800, 1000, 10} {
		if err := b.Hold(budgetEpoch, key(1), msat); err != nil {
			t.Fatalf("%d msat: %v", msat, err)
		}
	}
	wantOver(t, b.Hold(budgetEpoch, key(1), 1001), "circuit 1")
	if got := b.Left(budgetEpoch)[0].HeldMsat; got != 10 {
		t.Errorf("%d msat are held after a refusal, want the 10 from before", got)
	}
}

// Limits that a reloaded policy lowers stop new payments, not those under way.
func TestLoweredLimitsLeaveWhatIsHeld(t *testing.T) {
	b := policies.NewBudget(policies.Limits{HourMsat: 1000})
	if err := b.Hold(budgetEpoch, key(1), 800); err != nil {
		t.Fatal(err)
	}
	b.SetLimits(policies.Limits{HourMsat: 500})
	if err := b.Hold(budgetEpoch, key(1), 800); err != nil {
		t.Errorf("holding the same again: %v", err)
	}
	wantOver(t, b.Hold(budgetEpoch, key(1), 801), "hour")
	wantOver(t, b.Hold(budgetEpoch, key(2), 1), "hour")
	b.Settle("1", budgetEpoch, 790)
	if got := b.Left(budgetEpoch)[0]; got.SpentMsat != 790 || got.LeftMsat() != 0 {
		t.Errorf("after settling: %+v", got)
	}
}

func TestWindowsSlide(t *testing.T) {
	b := policies.NewBudget(policies.Limits{HourMsat: 100, DayMsat: 150})
	pay := func(n int, at time.Duration, msat int64) error {
		now := budgetEpoch.Add(at)
		err := b.Hold(now, key(n), msat)
		if err == nil {
			b.Settle(fmt.Sprint(n), now, msat)
		}
		return err
	}
	if err := pay(1, 0, 100); err != nil {
		t.Fatal(err)
	}
	wantOver(t, pay(2, 59*time.Minute, 1), "hour") // midnight between them changes nothing
	if err := pay(3, time.Hour, 50); err != nil {
		t.Errorf("an hour later: %v", err)
	}
	wantOver(t, pay(4, 3*time.Hour, 1), "day")
	if err := pay(5, 24*time.Hour, 100); err != nil {
		t.Errorf("a day later: %v", err)
	}
	wantOver(t, pay(6, 0, 1), "hour") // a clock that goes back frees nothing
}

func TestControllers(t *testing.T) {
	b := policies.NewBudget(policies.Limits{ControllerMsat: 10, Controllers: map[string]int64{"rich": 100, "none": 0}})
	for _, tc := range []struct {
		name string
		msat int64
		ok   bool
	}{{"alice", 10, true}, {"alice", 1, false}, {"bob", 10, true}, {"rich", 100, true}, {"rich", 1, false}, {"none", 1, false}} {
		err := b.Hold(budgetEpoch, policies.Spend{Controller: tc.name, Key: tc.name + fmt.Sprint(tc.msat)}, tc.msat)
		if tc.ok != (err == nil) {
			t.Errorf("%s, %d msat: %v", tc.name, tc.msat, err)
		}
	}
}

func TestClosedCircuitLeavesItsIDFree(t *testing.T) {
	b := policies.NewBudget(policies.Limits{CircuitMsat: 10, DayMsat: 15})
	if err := b.Hold(budgetEpoch, key(1), 10); err != nil {
		t.Fatal(err)
	}
	b.CloseCircuit("1")
	if err := b.Hold(budgetEpoch, key(2), 5); err != nil {
		t.Errorf("another circuit with the same id: %v", err)
	}
	b.Settle("1", budgetEpoch, 10)
	wantOver(t, b.Hold(budgetEpoch, key(3), 1), "day")
	wantOver(t, b.Hold(budgetEpoch.Add(25*time.Hour), key(3), 6), "circuit 1")
}

func TestLoad(t *testing.T) {
	b := policies.NewBudget(policies.Limits{HourMsat: 100, DayMsat: 100, TotalMsat: 100})
	ago := func(d time.Duration) time.Time { return budgetEpoch.Add(-d) }
	b.Load(budgetEpoch, []policies.Spending{
		{Spend: key(1), Msat: 1, At: ago(25 * time.Hour)},
		{Spend: key(2), Msat: 2, At: ago(30 * time.Minute)},
		{Spend: key(3), Msat: 4, At: ago(2 * time.Hour)},
		{Spend: key(4), Msat: 8, Held: true},
		{Msat: 16},                                            // long ago
		{Spend: key(5), Msat: 32, At: ago(-1000 * time.Hour)}, // the clock was wrong
	})
	want := []policies.Use{
		{Which: "day", LimitMsat: 100, SpentMsat: 2 + 4 + 32, HeldMsat: 8},
		{Which: "hour", LimitMsat: 100, SpentMsat: 2 + 32, HeldMsat: 8},
		{Which: "total", LimitMsat: 100, SpentMsat: 1 + 2 + 4 + 16 + 32, HeldMsat: 8},
	}
	if diff := cmp.Diff(want, b.Left(budgetEpoch)); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	b.Settle("4", budgetEpoch.Add(24*time.Hour), 7)
	if got := b.Left(budgetEpoch.Add(24 * time.Hour))[0]; got.SpentMsat != 7 || got.HeldMsat != 0 {
		t.Errorf("a day later: %+v, want the 7 msat that settled just now", got)
	}
}

func TestHoldRefusesNonsense(t *testing.T) {
	b := policies.NewBudget(policies.Limits{})
	for _, msat := range []int64{0, -1, 1 << 62} {
		if err := b.Hold(budgetEpoch, key(1), msat); err == nil {
			t.Errorf("%d msat were held", msat)
		}
	}
}

// paid is what the model of a budget knows of a payment.
type paid struct {
	policies.Spend
	msat    int64
	at      time.Time
	settled bool
}

// budgetModel counts the slow way: it keeps every payment and adds them up.
type budgetModel map[string]paid

func (m budgetModel) used(now time.Time, window time.Duration, count func(paid) bool) (msat int64) {
	for _, p := range m {
		if count(p) && (!p.settled || now.Sub(p.at) < window) {
			msat += p.msat
		}
	}
	return msat
}

func TestBudgetIsNeverExceeded(t *testing.T) {
	const day, ever = 24 * time.Hour, 1 << 62
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Int64Range(1, 60)
		limits := policies.Limits{CircuitMsat: limit.Draw(t, "circuit"), HourMsat: limit.Draw(t, "hour"),
			DayMsat: limit.Draw(t, "day"), TotalMsat: 3 * limit.Draw(t, "total"), ControllerMsat: limit.Draw(t, "controller"),
			Controllers: map[string]int64{"c1": limit.Draw(t, "c1")}}
		b, now, model := policies.NewBudget(limits), budgetEpoch, make(budgetModel)
		all := func(paid) bool { return true }

		// over says which limits would not hold if p were paid too.
		over := func(p paid) (n int) {
			m := budgetModel{}
			for k, v := range model {
				m[k] = v
			}
			m[p.Key] = p
			controller, ok := limits.Controllers[p.Controller]
			if !ok {
				controller = limits.ControllerMsat
			}
			for _, l := range []struct{ used, limit int64 }{
				{m.used(now, time.Hour, all), limits.HourMsat},
				{m.used(now, day, all), limits.DayMsat},
				{m.used(now, ever, all), limits.TotalMsat},
				{m.used(now, day, func(q paid) bool { return q.Circuit == p.Circuit }), limits.CircuitMsat},
				{m.used(now, day, func(q paid) bool { return q.Controller == p.Controller }), controller},
			} {
				if l.used > l.limit {
					n++
				}
			}
			return n
		}
		names := rapid.IntRange(0, 2)
		keys := rapid.IntRange(0, 12)
		t.Repeat(map[string]func(*rapid.T){
			"hold": func(t *rapid.T) {
				p := paid{msat: rapid.Int64Range(1, 20).Draw(t, "msat"), Spend: policies.Spend{
					Controller: fmt.Sprint("c", names.Draw(t, "controller")), Circuit: fmt.Sprint(names.Draw(t, "circuit")),
					Key: fmt.Sprint("k", keys.Draw(t, "key"))}}
				if model[p.Key].settled {
					p.Key = fmt.Sprint("k", len(model)+100) // a settled key is not used again
				}
				err := b.Hold(now, p.Spend, p.msat)
				if n := over(p); (n > 0) != (err != nil) {
					t.Fatalf("holding %+v: %v, and %d limits do not hold", p, err, n)
				}
				if err == nil {
					model[p.Key] = p
				}
			},
			"settle": func(t *rapid.T) {
				k := fmt.Sprint("k", keys.Draw(t, "key"))
				p, held := model[k]
				msat := rapid.Int64Range(0, max(0, p.msat)).Draw(t, "msat")
				b.Settle(k, now, msat)
				if held && !p.settled {
					p.settled, p.msat, p.at = true, msat, now
					model[k] = p
				}
			},
			"release": func(t *rapid.T) {
				k := fmt.Sprint("k", keys.Draw(t, "key"))
				b.Release(k)
				if !model[k].settled {
					delete(model, k)
				}
			},
			"restart": func(t *rapid.T) {
				var books []policies.Spending
				for _, p := range model {
					books = append(books, policies.Spending{Spend: p.Spend, Msat: p.msat, At: p.at, Held: !p.settled})
				}
				b = policies.NewBudget(limits)
				b.Load(now, books)
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "minutes")) * time.Minute)
			},
			"": func(t *rapid.T) {
				for _, u := range b.Left(now) {
					if u.SpentMsat < 0 || u.HeldMsat < 0 || u.SpentMsat+u.HeldMsat > u.LimitMsat {
						t.Fatalf("beyond the limit: %+v", u)
					}
				}
			},
		})
	})
}

func BenchmarkBudgetHoldAndSettle(b *testing.B) {
	bud := policies.NewBudget(policies.Limits{HourMsat: 1 << 50, DayMsat: 1 << 50, ControllerMsat: 1 << 50})
	now := budgetEpoch
	for n := 0; b.Loop(); n++ {
		now = now.Add(100 * time.Millisecond)
		s := key(n)
		if err := bud.Hold(now, s, 1000); err != nil {
			b.Fatal(err)
		}
		bud.Settle(s.Key, now, 1000)
	}
}
