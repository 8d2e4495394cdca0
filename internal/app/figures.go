package app

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/el-tor/tops/internal/figures"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
)

// observer gathers the figures of a running tops, for the page and the metrics.
type observer struct {
	a       *App
	started time.Time

	mu             sync.Mutex // guards what follows
	asked          time.Time  // when tor and the node were
	node           *figures.Lightning
	relayTor       tor.Health
	clientTor      tor.Health
	names          map[string]string // of relays, by fingerprint
	ended          map[paystream.Reason]int64
	paid, declined map[paystream.Reason]int64 // of the client: ended, and never begun
}

func newObserver(a *App) *observer {
	return &observer{a: a, started: a.clock.Now(), names: make(map[string]string),
		ended: make(map[paystream.Reason]int64), paid: make(map[paystream.Reason]int64), declined: make(map[paystream.Reason]int64)}
}

// shownPayStreams is how many of a relay's pay streams are shown: a page with all
// of a busy one would be of use to nobody.
const shownPayStreams = 50

// askEvery is how often tor and the node are asked how they are, at most.
const askEvery = 5 * time.Second

// Changed calls f whenever something has happened to a pay stream, until stop.
func (o *observer) Changed(f func()) (stop func()) {
	return o.a.events.Subscribe(func(paystream.Event, int) { f() })
}

// count follows how pay streams end.
func (o *observer) count() (stop func()) {
	return o.a.events.Subscribe(func(e paystream.Event, _ int) {
		o.mu.Lock()
		defer o.mu.Unlock()
		into := o.ended
		if e.Circuit != "" { // no circuit has a name on a relay
			into = o.paid
		}
		switch {
		case e.Status == paystream.StatusCompleted:
			into[paystream.ReasonCompleted]++
		case e.Status == paystream.StatusClosed && e.Reason != paystream.ReasonCompleted:
			into[e.Reason]++
		case e.Status == paystream.StatusRefused:
			o.declined[e.Reason]++
		}
	})
}

// Figures gathers them. Several callers at a time wait for each other.
func (o *observer) Figures(ctx context.Context) (figures.Figures, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := figures.Figures{Version: o.a.engine.Version, At: o.a.clock.Now().UTC(), Started: o.started.UTC()}
	if f.At.Sub(o.asked) >= askEvery {
		o.askLocked(ctx)
		o.asked = f.At
	}
	if o.a.books == nil { // no role
		return f, nil
	}
	totals, err := o.a.books.Totals(ctx)
	if err != nil {
		return f, err
	}
	if o.a.node != nil {
		node := *o.node
		node.Problems = o.a.health.problems()
		f.Lightning = &node
	}
	if o.a.relay != nil {
		if f.Relay, err = o.relayLocked(ctx, f.At, totals); err != nil {
			return f, err
		}
	}
	if o.a.client != nil {
		if f.Client, err = o.clientLocked(ctx, f.At, totals); err != nil {
			return f, err
		}
	}
	return f, nil
}

// askLocked asks tor and the node. What does not answer in time is not known.
func (o *observer) askLocked(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if o.a.node != nil {
		o.node = new(figures.Lightning)
		if h, err := o.a.node.Health(ctx); err == nil {
			*o.node = figures.Lightning{Answers: true, Channels: h.Channels, SpendableMsat: h.SpendableMsat, ReceivableMsat: h.ReceivableMsat}
		}
	}
	if o.a.relay != nil {
		o.relayTor = o.a.relay.TorHealth(ctx)
	}
	if o.a.client != nil {
		o.clientTor = o.a.client.TorHealth(ctx)
	}
}

func (o *observer) relayLocked(ctx context.Context, at time.Time, t ledger.Totals) (*figures.Relay, error) {
	r := &figures.Relay{
		Terms: o.a.relay.Terms(), Tor: o.relayTor, Gateway: o.a.relay.Gateway(), Ended: maps.Clone(o.ended),
		EarnedMsat: t.EarnedMsat, ExcessMsat: t.ExcessMsat, LateMsat: t.LateMsat, UnclaimedMsat: t.UnclaimedMsat,
	}
	if since, away := o.a.relay.Away(); away {
		r.NodeAway = since
	}
	r.PayStreams, r.Load = o.a.relay.Live(shownPayStreams)
	hours, err := o.earned(ctx, at.Add(-23*time.Hour), ledger.ByHour)
	if err != nil {
		return nil, err
	}
	days, err := o.earned(ctx, at.Add(-29*24*time.Hour), ledger.ByDay)
	if err != nil {
		return nil, err
	}
	r.Hours, r.Days = figures.Fill(at, time.Hour, 24, hours), figures.Fill(at, 24*time.Hour, 30, days)
	r.HourMsat, r.TodayMsat = r.Hours[23].Msat, r.Days[29].Msat
	return r, nil
}

func (o *observer) earned(ctx context.Context, since time.Time, step time.Duration) (bars []figures.Bar, err error) {
	all, err := o.a.books.Earnings(ctx, since, step)
	for _, e := range all {
		bars = append(bars, figures.Bar{From: e.From, Msat: e.EarnedMsat, Payments: e.Payments})
	}
	return bars, err
}

func (o *observer) clientLocked(ctx context.Context, at time.Time, t ledger.Totals) (*figures.Client, error) {
	c := &figures.Client{
		SOCKS: o.a.cfg.Client.SOCKS, Tor: o.clientTor, Budget: o.a.client.Budget(),
		SpentMsat: t.SpentMsat, RoutingMsat: t.RoutingMsat, HeldMsat: t.HeldMsat,
		Ended: maps.Clone(o.paid), Refused: maps.Clone(o.declined),
	}
	payments, err := o.a.books.Spendings(ctx, at.Truncate(time.Hour).Add(-23*time.Hour))
	if err != nil {
		return nil, err
	}
	var bars []figures.Bar
	for _, p := range payments {
		if !p.Held && !p.At.IsZero() {
			bars = append(bars, figures.Bar{From: p.At, Msat: p.Msat, Payments: 1})
		}
	}
	c.Hours = figures.Fill(at, time.Hour, 24, bars)
	c.HourMsat, c.TodayMsat = c.Hours[23].Msat, figures.SinceMidnight(at, c.Hours)
	for _, s := range o.a.client.Circuits() {
		circ := figures.Circuit{CircuitStatus: s}
		if s.PayStream != "" {
			circ.Pay, _ = o.a.client.PayStream(s.PayStream) // one that has just ended is nothing to tell
		}
		for _, fp := range s.Path {
			circ.Names = append(circ.Names, o.nameLocked(ctx, fp))
		}
		c.Circuits = append(c.Circuits, circ)
	}
	return c, nil
}

// maxNames bounds what is remembered of relays' names.
const maxNames = 4096

// nameLocked is a relay's nickname, asked for once; empty if tor does not know it.
func (o *observer) nameLocked(ctx context.Context, fingerprint string) string {
	name, known := o.names[fingerprint]
	if !known {
		var err error
		if name, err = o.a.client.RelayName(ctx, fingerprint); err == nil {
			if len(o.names) >= maxNames {
				clear(o.names)
			}
			o.names[fingerprint] = name
		}
	}
	return name
}
