package figurestest

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/client"
	"github.com/el-tor/tops/internal/figures"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// at is the moment of Relay and Client.
var at = time.Date(2026, 3, 4, 15, 42, 7, 0, time.UTC)

// Relay are the figures of a relay on an ordinary day, to be looked at.
func Relay() figures.Figures {
	terms := policies.DefaultTerms("9F3C2A71D04B5E8896A7C1D2E3F405162738495A",
		policies.Descriptor{Kind: policies.Offer, Value: "lno1example"}, netip.MustParseAddrPort("203.0.113.9:9402"))
	f := figures.Figures{
		Version: "0.9.0", At: at, Started: at.Add(-9 * 24 * time.Hour),
		Lightning: &figures.Lightning{Answers: true, Channels: 5, SpendableMsat: 1_250_400_000, ReceivableMsat: 3_871_000_000},
		Relay: &figures.Relay{
			Terms: terms, Tor: tor.Health{Version: "0.4.9.11", Circuits: true},
			EarnedMsat: 48_213_000, ExcessMsat: 96_000, LateMsat: 14_000, UnclaimedMsat: 2000,
			Hours: bars(time.Hour, 24, 150), Days: bars(24*time.Hour, 30, 2600), Load: paystream.Load{PayStreams: 57, Free: 9},
			Gateway: gateway.Stats{Connections: 412, Tunnels: 388, Tunnelled: 1_482_000_000_000, Refused: map[gateway.Refusal]int64{
				gateway.RefusedUnpaid: 1204, gateway.RefusedTarget: 873, gateway.RefusedPolicy: 311, gateway.RefusedOver: 42,
				gateway.RefusedRate: 17, gateway.RefusedStranger: 3}},
			Ended: map[paystream.Reason]int64{paystream.ReasonCompleted: 3921, paystream.ReasonClient: 2210, paystream.ReasonLate: 186,
				paystream.ReasonRelay: 4},
		},
	}
	r := f.Relay
	r.HourMsat, r.TodayMsat = r.Hours[23].Msat, r.Days[29].Msat
	for i, s := range []struct {
		status       paystream.Status
		round, paid  int
		balance, due int64
		dueIn        time.Duration
		bytes        int64
	}{
		{status: paystream.StatusPaid, round: 7, paid: 8, balance: 7000, due: 1000, dueIn: 74 * time.Second, bytes: 812_400_000},
		{status: paystream.StatusPaid, round: 4, paid: 10, balance: 10_000, bytes: 233_100_000},
		{status: paystream.StatusDue, round: 3, paid: 3, balance: 2000, due: 1000, dueIn: 11 * time.Second, bytes: 96_700_000},
		{status: paystream.StatusPaid, round: 2, paid: 2, balance: 1000, due: 1000, dueIn: 38 * time.Second, bytes: 18_300_000},
		{status: paystream.StatusDue, round: 10, paid: 9, balance: 8000, due: 2000, dueIn: 52 * time.Second, bytes: 1_240_000_000},
		{status: paystream.StatusFree, round: 1, paid: 1, due: 1000, dueIn: 49 * time.Second, bytes: 640_200},
		{status: paystream.StatusFree, round: 1, paid: 1, due: 1000, dueIn: 8 * time.Second, bytes: 1_048_576},
	} {
		r.PayStreams = append(r.PayStreams, paystream.PayeeStatus{Status: s.status, Rounds: 10, View: paystream.View{
			Handle: handle(i), Round: s.round, PaidThrough: s.paid, BalanceMsat: s.balance, DueMsat: s.due, DueIn: s.dueIn, Bytes: s.bytes}})
	}
	return f
}

// Client are the figures of a client on an ordinary day, to be looked at.
func Client() figures.Figures {
	names := []string{"mittelstadt", "harbourlight", "nordwind", "quillfeather", "brightwater", "tuxedo7", "redstart"}
	relay := func(i int) string { return fmt.Sprintf("%040X", 0x9f3c2a71d04+i*7_368_787) }
	c := &figures.Client{
		SOCKS: "127.0.0.1:9150", Tor: tor.Health{Version: "0.4.9.11", Circuits: true},
		SpentMsat: 5_312_600, RoutingMsat: 41_600, HeldMsat: 1010, Hours: bars(time.Hour, 24, 9),
		Ended:   map[paystream.Reason]int64{paystream.ReasonCompleted: 31, paystream.ReasonClient: 8, paystream.ReasonQuality: 2},
		Refused: map[paystream.Reason]int64{paystream.ReasonPolicy: 3},
	}
	c.HourMsat, c.TodayMsat = c.Hours[23].Msat, figures.SinceMidnight(at, c.Hours)
	c.Budget = []policies.Use{
		{Which: "hour", LimitMsat: 50_000, SpentMsat: c.HourMsat, HeldMsat: 1010},
		{Which: "day", LimitMsat: 200_000, SpentMsat: c.TodayMsat, HeldMsat: 1010},
		{Which: "total", LimitMsat: 10_000_000, SpentMsat: c.SpentMsat, HeldMsat: 1010},
	}
	for i, s := range []struct {
		status         paystream.Status
		round, through int
		rate, paid     int64
		goodput, bytes int64
		conns          int
	}{
		{paystream.StatusPaid, 6, 7, 1000, 6000, 3_420_000, 184_000_000, 6},
		{paystream.StatusPaying, 3, 3, 1500, 3000, 1_180_000, 41_700_000, 2},
		{paystream.StatusFree, 1, 1, 1000, 0, 0, 0, 0},
	} {
		c.Circuits = append(c.Circuits, figures.Circuit{
			CircuitStatus: client.CircuitStatus{ID: fmt.Sprint(118 + 5*i), Path: []string{relay(0), relay(2*i + 1), relay(2*i + 2)},
				PayStream: handle(i), RateMsat: s.rate, Interval: time.Minute, Connections: s.conns, Bytes: s.bytes, Goodput: s.goodput},
			Names: []string{names[0], names[2*i+1], names[2*i+2]},
			Pay:   paystream.PayerStatus{Status: s.status, Round: s.round, Rounds: 10, PaidThrough: s.through, PaidMsat: s.paid},
		})
	}
	return figures.Figures{
		Version: "0.9.0", At: at, Started: at.Add(-7 * time.Hour), Client: c,
		Lightning: &figures.Lightning{Answers: true, Channels: 2, SpendableMsat: 412_000_000, ReceivableMsat: 87_000_000},
	}
}

// bars go up and down with the hours of the day and the days of the week, around
// so many sat.
func bars(step time.Duration, n int, around float64) []figures.Bar {
	var there []figures.Bar
	for i := range n {
		from := at.Add(-time.Duration(n-1-i) * step).Truncate(step)
		wave := 1 + .45*math.Sin(2*math.Pi*float64(i)/float64(n)*map[bool]float64{true: 1, false: 4.3}[step == time.Hour]-1.2) + .22*math.Sin(float64(i)*2.7)
		if i == n-1 {
			wave *= .6 // it is not over
		}
		sat := int64(max(0, around*wave))
		there = append(there, figures.Bar{From: from, Msat: sat * 1000, Payments: int(sat)})
	}
	return figures.Fill(at, step, n, there)
}

func handle(i int) paystream.Handle {
	return paystream.Handle(fmt.Sprintf("%016x", uint64(i+1)*0x9e3779b97f4a7c15))
}
