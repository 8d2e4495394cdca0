package policies

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Budget counts what was spent and what is held, and refuses what would go
// beyond a limit. What is held counts as if it were spent: a payment that is
// pending may still settle. Hour and day are sliding windows, so that nobody
// spends two days' money around midnight.
//
// A Budget is not for concurrent use. Time is what its caller says; one that
// goes back is taken for the latest one seen, which errs on the safe side.
type Budget struct {
	limits Limits
	latest time.Time

	hour, day, total      sum
	circuits, controllers map[string]*sum

	held    map[string]*entry // by key
	settled []*entry          // of the last day, oldest first
	inHour  int               // settled[inHour:] are of the last hour
}

// sum is the state of one limit.
type sum struct{ spent, held int64 }

// entry is one payment. It knows the sums that it went into, because a circuit
// may close, and another may get its id, before the entry is a day old.
type entry struct {
	Spend
	msat                int64
	at                  time.Time
	circuit, controller *sum
}

// NewBudget returns a budget of which nothing is spent.
func NewBudget(l Limits) *Budget {
	b := &Budget{limits: l}
	b.reset()
	return b
}

func (b *Budget) reset() {
	*b = Budget{limits: b.limits, circuits: make(map[string]*sum), controllers: make(map[string]*sum),
		held: make(map[string]*entry)}
}

// SetLimits changes the limits, for a policy that was reloaded. What was spent
// stays spent.
func (b *Budget) SetLimits(l Limits) { b.limits = l }

// Load starts over from what the books say.
func (b *Budget) Load(now time.Time, spendings []Spending) {
	b.reset()
	b.latest = now
	spendings = slices.Clone(spendings)
	slices.SortStableFunc(spendings, func(a, b Spending) int { return a.At.Compare(b.At) })
	for _, s := range spendings {
		if s.Msat <= 0 {
			continue
		}
		switch e := b.entry(s.Spend, s.Msat); {
		case s.Held:
			b.hold(e, +1)
			b.held[s.Key] = e
		case s.At.IsZero():
			b.total.spent += s.Msat
			b.drop(e)
		case s.At.After(now): // somebody set the clock; it will not be right for years
			b.settle(e, now)
		default:
			b.settle(e, s.At)
		}
	}
	b.advance(now)
}

// Hold sets msat aside for a payment, its routing fee included. Holding a key
// again changes its amount, which is never refused if it asks no more than
// before. The error is an *OverBudget, and then nothing has changed.
func (b *Budget) Hold(now time.Time, s Spend, msat int64) error {
	if msat < 1 || msat > maxMsat {
		return fmt.Errorf("%d msat is no amount that could be held", msat)
	}
	b.advance(now)
	old := b.held[s.Key]
	if old != nil {
		b.hold(old, -1)
	}
	e := b.entry(s, msat)
	more := old == nil || old.Spend != s || msat > old.msat
	for _, u := range b.uses(e) {
		if more && msat > u.LimitMsat-u.SpentMsat-u.HeldMsat {
			if old != nil {
				b.hold(old, +1)
			}
			b.drop(e)
			return &OverBudget{u, msat}
		}
	}
	b.hold(e, +1)
	b.held[s.Key] = e
	if old != nil {
		b.drop(old)
	}
	return nil
}

// Settle turns what is held under key into msat spent. It changes nothing if
// nothing is held, so that a payment counts once however often it is reported.
func (b *Budget) Settle(key string, now time.Time, msat int64) {
	e := b.held[key]
	if e == nil {
		return
	}
	b.advance(now)
	b.hold(e, -1)
	delete(b.held, key)
	e.msat = max(0, msat)
	b.settle(e, b.latest)
}

// Release gives back what is held under key: nothing moved, nothing will.
func (b *Budget) Release(key string) {
	e := b.held[key]
	if e == nil {
		return
	}
	b.hold(e, -1)
	delete(b.held, key)
	b.drop(e)
}

// CloseCircuit forgets a circuit's own limit: tor gives its id to another one
// some day. What was spent on it stays in all other sums.
func (b *Budget) CloseCircuit(circuit string) { delete(b.circuits, circuit) }

// MoveCircuit lets a circuit that was built in the place of another go on with that
// one's limit.
func (b *Budget) MoveCircuit(from, to string) {
	if s := b.circuits[from]; s != nil {
		delete(b.circuits, from)
		b.circuits[to] = s
	}
}

// Left lists every limit that is set and how much of it is used, for people.
func (b *Budget) Left(now time.Time) []Use {
	b.advance(now)
	all := b.uses(&entry{})
	for name, s := range b.circuits {
		all = b.use(all, "circuit "+name, b.limits.CircuitMsat, b.limits.CircuitMsat > 0, s)
	}
	for name, s := range b.controllers {
		limit, set := b.limits.controller(name)
		all = b.use(all, "controller "+name, limit, set, s)
	}
	for name, limit := range b.limits.Controllers {
		if b.controllers[name] == nil {
			all = append(all, Use{Which: "controller " + name, LimitMsat: limit})
		}
	}
	slices.SortFunc(all, func(x, y Use) int { return cmp.Compare(x.Which, y.Which) })
	return all
}

func (l Limits) controller(name string) (limit int64, set bool) {
	if limit, ok := l.Controllers[name]; ok {
		return limit, true
	}
	return l.ControllerMsat, l.ControllerMsat > 0
}

// uses lists the limits that count for an entry.
func (b *Budget) uses(e *entry) []Use {
	l := b.limits
	all := b.use(nil, "hour", l.HourMsat, l.HourMsat > 0, &b.hour)
	all = b.use(all, "day", l.DayMsat, l.DayMsat > 0, &b.day)
	all = b.use(all, "total", l.TotalMsat, l.TotalMsat > 0, &b.total)
	if e.circuit != nil {
		all = b.use(all, "circuit "+e.Circuit, l.CircuitMsat, l.CircuitMsat > 0, e.circuit)
	}
	if e.controller != nil {
		limit, set := l.controller(e.Controller)
		all = b.use(all, "controller "+e.Controller, limit, set, e.controller)
	}
	return all
}

func (b *Budget) use(all []Use, which string, limit int64, set bool, s *sum) []Use {
	if !set {
		return all
	}
	return append(all, Use{which, limit, s.spent, s.held})
}

// entry makes an entry and finds its sums.
func (b *Budget) entry(s Spend, msat int64) *entry {
	e := &entry{Spend: s, msat: msat, circuit: new(sum), controller: sumOf(b.controllers, s.Controller)}
	if s.Circuit != "" {
		e.circuit = sumOf(b.circuits, s.Circuit)
	}
	return e
}

func sumOf(sums map[string]*sum, name string) *sum {
	if sums[name] == nil {
		sums[name] = new(sum)
	}
	return sums[name]
}

// drop forgets an entry that is in no sum any more, and its sums if nobody
// else is in them.
func (b *Budget) drop(e *entry) {
	if b.circuits[e.Circuit] == e.circuit && *e.circuit == (sum{}) {
		delete(b.circuits, e.Circuit)
	}
	if b.controllers[e.Controller] == e.controller && *e.controller == (sum{}) {
		delete(b.controllers, e.Controller)
	}
}

// hold adds an entry to what is held, or with −1 takes it away.
func (b *Budget) hold(e *entry, sign int64) {
	for _, s := range []*sum{&b.hour, &b.day, &b.total, e.circuit, e.controller} {
		s.held += sign * e.msat
	}
}

// settle books an entry that is not held, not earlier than the ones before.
func (b *Budget) settle(e *entry, at time.Time) {
	e.at = at
	for _, s := range []*sum{&b.hour, &b.day, &b.total, e.circuit, e.controller} {
		s.spent += e.msat
	}
	b.settled = append(b.settled, e)
}

// advance lets what is older than the windows slide out of them.
func (b *Budget) advance(now time.Time) {
	if now.After(b.latest) {
		b.latest = now
	}
	for b.inHour < len(b.settled) && b.latest.Sub(b.settled[b.inHour].at) >= time.Hour {
		b.hour.spent -= b.settled[b.inHour].msat
		b.inHour++
	}
	old := 0
	for old < b.inHour && b.latest.Sub(b.settled[old].at) >= 24*time.Hour {
		e := b.settled[old]
		b.day.spent -= e.msat
		e.circuit.spent -= e.msat
		e.controller.spent -= e.msat
		b.drop(e)
		old++
	}
	clear(b.settled[:old])
	b.settled, b.inHour = b.settled[old:], b.inHour-old
}
