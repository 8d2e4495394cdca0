package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/figures"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// view is the figures as the template shows them.
type view struct {
	figures.Figures
	ByDay      bool
	Title      string
	Role       string
	Sentence   string // how everything is; read aloud when it changes
	Well       bool
	Checks     []check
	Earnings   chart
	Spending   chart
	PayStreams []payStreamRow
	MorePay    int // live ones that are not shown
	Refusals   []tally
	Endings    []tally
	Circuits   []circuitRow
	Budgets    []budgetRow
	LeftToday  *budgetRow
	ClientEnds []tally
	Today      figures.Bar // earned
	EarnedHour figures.Bar
	SpentHour  figures.Bar
	Open       int   // connections of apps
	PriceMsat  int64 // of all rounds of the relay's terms
}

// state is a word and the class of its colour.
type state struct{ Word, Class string }

// check is the health of one thing.
type check struct {
	Name, Word, Class, Detail string
}

// tally is a reason and how often it was.
type tally struct {
	Word  string
	N     int64
	Width int // of its bar, of 100
}

type payStreamRow struct {
	Handle   paystream.Handle
	State    state
	Rounds   rounds
	PaidMsat int64
	DueMsat  int64
	DueIn    string
	Bytes    int64
}

type circuitRow struct {
	ID          string
	Path        []hop
	State       state
	Rounds      rounds
	Handle      paystream.Handle
	RateMsat    int64
	Interval    time.Duration
	PaidMsat    int64
	Goodput     int64
	Bytes       int64
	Connections int
}

type hop struct{ Name, Fingerprint string }

// rounds is the course of a pay stream as a row of segments.
type rounds struct {
	Now, Of, Paid int
	Segments      []segment
}

type segment struct {
	X, Width float64
	Class    string
}

type budgetRow struct {
	Name string
	policies.Use
	Used int // percent
	Low  bool
}

func newView(f figures.Figures, byDay bool) view {
	v := view{Figures: f, ByDay: byDay, Title: "TOPS"}
	var titles, roles []string
	if r := f.Relay; r != nil {
		roles = append(roles, "Relay")
		titles = append(titles, sat(r.TodayMsat)+" sat earned today")
		v.relay(r)
	}
	if c := f.Client; c != nil {
		roles = append(roles, "Client")
		titles = append(titles, sat(c.TodayMsat)+" sat spent today")
		v.client(c)
	}
	v.Role = strings.Join(roles, " and ")
	if len(titles) > 0 {
		v.Title = strings.Join(titles, ", ") + " · TOPS"
	}
	v.health()
	return v
}

func (v *view) relay(r *figures.Relay) {
	v.PriceMsat = r.Terms.Schedule().TotalMsat()
	v.Today, v.EarnedHour = last(r.Days), last(r.Hours)
	if v.ByDay {
		v.Earnings = newChart(r.Days, 24*time.Hour)
	} else {
		v.Earnings = newChart(r.Hours, time.Hour)
	}
	for _, s := range r.PayStreams {
		row := payStreamRow{
			Handle: s.Handle, State: statusWords[s.Status], PaidMsat: s.BalanceMsat, Bytes: s.Bytes,
			Rounds: newRounds(s.Round, s.Rounds, s.PaidThrough),
		}
		if s.DueMsat > 0 {
			row.DueMsat, row.DueIn = s.DueMsat, ago(s.DueIn)
		}
		v.PayStreams = append(v.PayStreams, row)
	}
	v.MorePay = max(0, r.Load.PayStreams-len(r.PayStreams))
	for _, why := range gateway.Refusals() {
		if n := r.Gateway.Refused[why]; n > 0 {
			v.Refusals = append(v.Refusals, tally{Word: refusalWords[why], N: n})
		}
	}
	v.Refusals = ranked(v.Refusals)
	v.Endings = reasons(r.Ended)
}

func (v *view) client(c *figures.Client) {
	v.Spending, v.SpentHour = newChart(c.Hours, time.Hour), last(c.Hours)
	for _, circ := range c.Circuits {
		row := circuitRow{
			ID: circ.ID, Handle: circ.PayStream, RateMsat: circ.RateMsat, Interval: circ.Interval, PaidMsat: circ.Pay.PaidMsat,
			Goodput: circ.Goodput, Bytes: circ.Bytes, Connections: circ.Connections,
			Rounds: newRounds(circ.Pay.Round, circ.Pay.Rounds, circ.Pay.PaidThrough),
			State:  cmp.Or(statusWords[circ.Pay.Status], state{"building", "wait"}),
		}
		for i, fp := range circ.Path {
			h := hop{Fingerprint: fp, Name: short(fp)}
			if i < len(circ.Names) && circ.Names[i] != "" {
				h.Name = circ.Names[i]
			}
			row.Path = append(row.Path, h)
		}
		v.Circuits = append(v.Circuits, row)
		v.Open += circ.Connections
	}
	names := map[string]string{"hour": "This hour", "day": "Today", "total": "Ever"}
	for _, which := range []string{"hour", "day", "total"} {
		i := slices.IndexFunc(c.Budget, func(u policies.Use) bool { return u.Which == which })
		if i < 0 {
			continue
		}
		row := budgetRow{Name: names[which], Use: c.Budget[i]}
		if row.LimitMsat > 0 {
			row.Used = int(min(100, (row.SpentMsat+row.HeldMsat)*100/row.LimitMsat))
			row.Low = row.Used >= 90
		}
		v.Budgets = append(v.Budgets, row)
		if which == "day" {
			v.LeftToday = &row
		}
	}
	v.ClientEnds = reasons(c.Ended)
	for _, t := range reasons(c.Refused) {
		t.Word = "Refused: " + strings.ToLower(t.Word[:1]) + t.Word[1:]
		v.ClientEnds = append(v.ClientEnds, t)
	}
	v.ClientEnds = ranked(v.ClientEnds)
}

// last is the bar of now.
func last(bars []figures.Bar) (b figures.Bar) {
	if len(bars) > 0 {
		b = bars[len(bars)-1]
	}
	return b
}

// health says how tor and Lightning are, and what to do.
func (v *view) health() {
	var relayTor, clientTor *tor.Health
	if v.Relay != nil {
		relayTor = &v.Relay.Tor
	}
	if v.Client != nil {
		clientTor = &v.Client.Tor
	}
	for _, h := range []*tor.Health{relayTor, clientTor} {
		if h != nil {
			v.Checks = append(v.Checks, v.torCheck(*h))
			break // one configuration, one tor
		}
	}
	if v.Lightning != nil {
		v.Checks = append(v.Checks, v.lightningCheck())
	}
	v.Well, v.Sentence = true, "All is well."
	var trouble []string
	for _, c := range v.Checks {
		if c.Class != "good" {
			v.Well = false
			trouble = append(trouble, c.Name+": "+c.Word+".")
		}
	}
	if !v.Well {
		v.Sentence = strings.Join(trouble, " ")
	}
}

func (v *view) torCheck(h tor.Health) check {
	switch {
	case h.Lost != nil:
		return check{"Tor", "not reachable", "bad", fmt.Sprintf("Lost %s ago. tops connects again by itself: see that tor runs and tor.control is right.", ago(v.At.Sub(h.Lost.Since)))}
	case !h.Circuits:
		return check{"Tor", "building its first circuits", "due", "Tor " + h.Version + ". If this stays, look at tor's own log."}
	}
	version, _, _ := strings.Cut(h.Version, " ")
	return check{"Tor", "connected", "good", "Tor " + version}
}

func (v *view) lightningCheck() check {
	l := v.Lightning
	if len(l.Problems) > 0 {
		return check{"Lightning", "needs attention", "bad", sentence(strings.Join(l.Problems, "; "))}
	}
	if !l.Answers || v.Relay != nil && !v.Relay.NodeAway.IsZero() {
		return check{"Lightning", "does not answer", "bad", "Nobody is cut meanwhile. See that lightningd runs and lightning.rpc is right."}
	}
	var can []string
	if v.Relay != nil {
		can = append(can, "can receive "+sat(l.ReceivableMsat/1000*1000)+" sat")
	}
	if v.Client != nil {
		can = append(can, "can spend "+sat(l.SpendableMsat/1000*1000)+" sat")
	}
	return check{"Lightning", "connected", "good", sentence(strings.Join(can, ", "))}
}

func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// reasons ranks the ends of pay streams.
func reasons(m map[paystream.Reason]int64) (list []tally) {
	for why, n := range m {
		list = append(list, tally{Word: cmp.Or(reasonWords[why], "Closed"), N: n})
	}
	return ranked(list)
}

// ranked sorts, the most frequent first, and gives the bars their widths.
func ranked(list []tally) []tally {
	slices.SortFunc(list, func(a, b tally) int { return cmp.Or(cmp.Compare(b.N, a.N), strings.Compare(a.Word, b.Word)) })
	for i := range list {
		list[i].Width = int(max(2, list[i].N*100/list[0].N))
	}
	return list
}

// newRounds draws up to 120 rounds as segments of 100 in all.
func newRounds(now, of, paid int) rounds {
	r := rounds{Now: now, Of: of, Paid: paid}
	if of == 0 {
		return r
	}
	width := 100 / float64(of)
	gap := min(1.2, width/4)
	for i := range of {
		class := "ahead"
		switch n := i + 1; {
		case n <= paid && n < now:
			class = "paid"
		case n == now && n <= paid:
			class = "now paid"
		case n == now:
			class = "now"
		case n <= paid:
			class = "prepaid"
		case n < now:
			class = "owed"
		}
		r.Segments = append(r.Segments, segment{X: float64(i) * width, Width: width - gap, Class: class})
	}
	return r
}
