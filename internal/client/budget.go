package client

import (
	"maps"
	"math"
	"sync"
	"time"

	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/policies"
)

func paymentPolicy(c *config.Client) policies.Payment {
	p := policies.DefaultPayment()
	p.MaxRoundMsat, p.MaxCircuitMsat = c.MaxRoundMsat, c.MaxCircuitMsat
	p.MaxRoutingPercent, p.MaxRoutingMsat = c.MaxFeePercent, c.MaxFeeMsat
	p.MinGoodput, p.Risk = c.MinGoodput, c.RiskRounds
	p.MaxFirstByte, p.SlowestShare = time.Duration(c.MaxFirstByte), c.SlowestShare
	p.Otherwise = policies.Otherwise(c.AtCap)
	if c.PayMiddle {
		p.Hops = append(p.Hops, policies.Middle)
	}
	return p
}

// budget is policies.Budget for many goroutines. It begins with what the books
// say, what is held included.
type budget struct {
	mu sync.Mutex
	b  *policies.Budget
}

func newBudget(cfg Config) *budget {
	b := policies.NewBudget(limits(cfg.Client, cfg.Accounts))
	b.Load(cfg.Now(), cfg.Spent)
	return &budget{b: b}
}

func limits(c *config.Client, accounts map[string]int64) policies.Limits {
	all := map[string]int64{"": math.MaxInt64} // the SOCKS port's apps are the user himself: the other limits are his
	maps.Copy(all, accounts)
	return policies.Limits{
		CircuitMsat: c.MaxCircuitMsat, HourMsat: c.HourMsat, DayMsat: c.DayMsat,
		TotalMsat: c.TotalMsat, ControllerMsat: c.ControllerMsat,
		Controllers: all,
	}
}

// SetBudget changes the budgets while the client runs: those of an hour, a day,
// for ever, and of controllers, whose own are in accounts. What was spent stays
// spent. What one circuit may cost stays what it was.
func (c *Client) SetBudget(cfg *config.Client, accounts map[string]int64) {
	l := limits(cfg, accounts)
	l.CircuitMsat = c.cfg.Client.MaxCircuitMsat
	c.budget.mu.Lock()
	defer c.budget.mu.Unlock()
	c.budget.b.SetLimits(l)
}

func (b *budget) Hold(now time.Time, s policies.Spend, msat int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Hold(now, s, msat)
}

// room reports whether msat could be spent now; the error is an
// *policies.OverBudget.
func (b *budget) room(now time.Time, controller string, msat int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := policies.Spend{Key: "room", Controller: controller}
	if err := b.b.Hold(now, s, msat); err != nil {
		return err
	}
	b.b.Release(s.Key)
	return nil
}

func (b *budget) Settle(key string, now time.Time, msat int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.Settle(key, now, msat)
}

// forget drops a circuit's own limit: tor gives its id to another some day.
func (b *budget) forget(circuit string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.CloseCircuit(circuit)
}

// move lets a circuit go on with the limit of the one in whose place it was built.
func (b *budget) move(from, to string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.MoveCircuit(from, to)
}

func (b *budget) Release(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.Release(key)
}

// Budget lists every limit and how much of it is used.
func (c *Client) Budget() []policies.Use {
	c.budget.mu.Lock()
	defer c.budget.mu.Unlock()
	return c.budget.b.Left(c.cfg.Now())
}
