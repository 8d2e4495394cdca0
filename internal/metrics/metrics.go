package metrics

import (
	"context"
	"net/http"
	"time"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/figures"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Source has the figures.
type Source interface {
	Figures(context.Context) (figures.Figures, error)
}

// gatherFor bounds a scrape.
const gatherFor = 10 * time.Second

// Registry has the metrics of a source, and those of the process.
func Registry(s Source) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collector{s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Handler answers scrapes.
func Handler(s Source) http.Handler {
	return promhttp.HandlerFor(Registry(s), promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: gatherFor})
}

// collector reads all figures of a scrape at one moment.
type collector struct{ source Source }

// metric is one name.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func counter(name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc("tops_"+name, help, labels, nil), prometheus.CounterValue}
}

func gauge(name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc("tops_"+name, help, labels, nil), prometheus.GaugeValue}
}

var (
	buildInfo    = gauge("build_info", "The version that runs; always 1.", "version")
	torUp        = gauge("tor_up", "Whether tor's control port is connected to.", "role")
	torCircuits  = gauge("tor_circuits_established", "Whether tor has built circuits.", "role")
	lightningUp  = gauge("lightning_up", "Whether the Lightning node answers.")
	problems     = gauge("lightning_problems", "Things that are wrong with the Lightning node; see the log for what.")
	channels     = gauge("lightning_channels", "Channels in use.")
	spendable    = gauge("lightning_spendable_msat", "Outbound liquidity in channels in use.")
	receivable   = gauge("lightning_receivable_msat", "Inbound liquidity in channels in use.")
	earned       = counter("earned_msat_total", "Credited to pay streams since the books began.")
	excess       = counter("excess_msat_total", "Of what was earned, left over when pay streams closed.")
	late         = counter("late_msat_total", "Came after its pay stream had ended.")
	unclaimed    = gauge("unclaimed_msat", "Received, and fits no pay stream so far.")
	live         = gauge("pay_streams", "Pay streams that are not over.", "role")
	free         = gauge("pay_streams_unpaid", "Pay streams of the relay that nothing was credited to yet.")
	ended        = counter("pay_streams_ended_total", "Pay streams that ended, by reason.", "role", "reason")
	declined     = counter("pay_streams_refused_total", "Pay streams of the client that never began, by reason.", "reason")
	connections  = gauge("gateway_connections", "Connections to the gateway.")
	tunnels      = gauge("gateway_tunnels", "Connections through the gateway.")
	tunnelled    = counter("gateway_tunnelled_bytes_total", "Bytes through the gateway, both ways.")
	refusals     = counter("gateway_refusals_total", "Requests and connections that the gateway refused, by reason.", "reason")
	spent        = counter("spent_msat_total", "Settled payments since the books began, routing included.")
	routing      = counter("routing_msat_total", "Routing fees in what was spent.")
	held         = gauge("held_msat", "The most that payments under way may still cost.")
	budgetLimit  = gauge("budget_limit_msat", "What may be spent in the window.", "window")
	budgetLeft   = gauge("budget_left_msat", "What may still be spent in the window.", "window")
	circuits     = gauge("circuits", "Paid circuits.")
	appConns     = gauge("app_connections", "Connections of apps through paid circuits.")
	goodput      = gauge("goodput_bytes_per_second", "Pace of all paid circuits together while apps waited for bytes, over the last ten seconds.")
	descriptions = []metric{buildInfo, torUp, torCircuits, lightningUp, problems, channels, spendable, receivable, earned, excess, late,
		unclaimed, live, free, ended, declined, connections, tunnels, tunnelled, refusals, spent, routing, held, budgetLimit, budgetLeft,
		circuits, appConns, goodput}
)

// Describe implements [prometheus.Collector].
func (collector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range descriptions {
		out <- m.desc
	}
}

// Collect implements [prometheus.Collector].
func (c collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), gatherFor)
	defer cancel()
	f, err := c.source.Figures(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(buildInfo.desc, err)
		return
	}
	s := sink(out)
	s.put(buildInfo, 1, f.Version)
	if l := f.Lightning; l != nil {
		s.put(lightningUp, bit(l.Answers))
		s.put(problems, int64(len(l.Problems)))
		s.put(channels, int64(l.Channels))
		s.put(spendable, l.SpendableMsat)
		s.put(receivable, l.ReceivableMsat)
	}
	if f.Relay != nil {
		s.relay(f.Relay)
	}
	if f.Client != nil {
		s.client(f.Client)
	}
}

// sink takes samples.
type sink chan<- prometheus.Metric

func (s sink) put(m metric, v int64, labels ...string) {
	s <- prometheus.MustNewConstMetric(m.desc, m.kind, float64(v), labels...)
}

func (s sink) relay(r *figures.Relay) {
	s.tor("relay", r.Tor)
	s.put(earned, r.EarnedMsat)
	s.put(excess, r.ExcessMsat)
	s.put(late, r.LateMsat)
	s.put(unclaimed, r.UnclaimedMsat)
	s.put(live, int64(r.Load.PayStreams), "relay")
	s.put(free, int64(r.Load.Free))
	s.put(connections, int64(r.Gateway.Connections))
	s.put(tunnels, r.Gateway.Tunnels)
	s.put(tunnelled, r.Gateway.Tunnelled)
	for _, why := range gateway.Refusals() { // those that never were, too: a rate needs the 0 before the 1
		s.put(refusals, r.Gateway.Refused[why], string(why))
	}
	s.ends("relay", r.Ended)
}

func (s sink) client(c *figures.Client) {
	s.tor("client", c.Tor)
	s.put(spent, c.SpentMsat)
	s.put(routing, c.RoutingMsat)
	s.put(held, c.HeldMsat)
	s.put(live, int64(c.Live()), "client")
	s.put(circuits, int64(len(c.Circuits)))
	var conns, pace int64
	for _, circ := range c.Circuits {
		conns, pace = conns+int64(circ.Connections), pace+circ.Goodput
	}
	s.put(appConns, conns)
	s.put(goodput, pace)
	for _, u := range c.Budget {
		switch u.Which {
		case "hour", "day", "total": // the others name circuits and controllers
			s.put(budgetLimit, u.LimitMsat, u.Which)
			s.put(budgetLeft, u.LeftMsat(), u.Which)
		}
	}
	s.ends("client", c.Ended)
	for _, why := range paystream.Reasons() {
		s.put(declined, c.Refused[why], string(why))
	}
}

func (s sink) tor(role string, h tor.Health) {
	s.put(torUp, bit(h.Lost == nil), role)
	s.put(torCircuits, bit(h.Circuits), role)
}

// ends has a label for each reason of ours; the relay's words are never one.
func (s sink) ends(role string, by map[paystream.Reason]int64) {
	for _, why := range paystream.Reasons() {
		s.put(ended, by[why], role, string(why))
	}
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
