// Package figurestest has figures for tests of what shows them.
package figurestest

import (
	"net/netip"
	"time"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/client"
	"github.com/el-tor/tops/internal/figures"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// Controller is the name of a controller that has a budget; it must be shown nowhere.
const Controller = "alice-at-her-desk"

// Busy are the figures of a relay and client with a bit of everything.
func Busy() figures.Figures {
	at := time.Date(2026, 3, 4, 15, 30, 0, 0, time.UTC)
	well := tor.Health{Version: "0.4.8.16", Circuits: true}
	terms := policies.DefaultTerms("0123456789ABCDEF0123456789ABCDEF01234567",
		policies.Descriptor{Kind: policies.Offer, Value: "lno1example"}, netip.MustParseAddrPort("203.0.113.9:9402"))
	moved := []figures.Bar{{From: at.Truncate(time.Hour), Msat: 21_500, Payments: 20}, {From: at.Add(-5 * time.Hour).Truncate(time.Hour), Msat: 9_000, Payments: 9}}
	return figures.Figures{
		Version: "1.2.3", At: at, Started: at.Add(-3 * time.Hour),
		Lightning: &figures.Lightning{Answers: true, Channels: 2, SpendableMsat: 5_000_000, ReceivableMsat: 7_000_000},
		Relay: &figures.Relay{
			Terms: terms, Tor: well, HourMsat: 21_500, TodayMsat: 30_500, EarnedMsat: 1_234_500, ExcessMsat: 100, LateMsat: 1000, UnclaimedMsat: 2000,
			Hours: figures.Fill(at, time.Hour, 24, moved), Days: figures.Fill(at, 24*time.Hour, 30, moved),
			Load: paystream.Load{PayStreams: 3, Free: 1},
			PayStreams: []paystream.PayeeStatus{
				{View: paystream.View{Handle: "ebf064b1c7877810", Round: 4, BalanceMsat: 4000, PaidThrough: 5, DueMsat: 1000, DueIn: 75 * time.Second, Bytes: 123_456_789}, Status: paystream.StatusPaid, Rounds: 10},
				{View: paystream.View{Handle: "0123456789abcdef", Round: 1, PaidThrough: 1, DueMsat: 1000, DueIn: 90 * time.Second}, Status: paystream.StatusFree, Rounds: 10},
			},
			Gateway: gateway.Stats{Connections: 5, Tunnels: 3, Tunnelled: 987_654_321, Refused: map[gateway.Refusal]int64{gateway.RefusedUnpaid: 12, gateway.RefusedPolicy: 3}},
			Ended:   map[paystream.Reason]int64{paystream.ReasonCompleted: 40, paystream.ReasonLate: 2},
		},
		Client: &figures.Client{
			SOCKS: "127.0.0.1:9150", Tor: well, HourMsat: 3000, TodayMsat: 12_000, SpentMsat: 99_000, RoutingMsat: 900, HeldMsat: 1100,
			Hours: figures.Fill(at, time.Hour, 24, moved),
			Budget: []policies.Use{
				{Which: "circuit 7", LimitMsat: 500_000, SpentMsat: 4000}, {Which: "controller " + Controller, LimitMsat: 100_000},
				{Which: "day", LimitMsat: 1_000_000, SpentMsat: 12_000, HeldMsat: 1100}, {Which: "hour", LimitMsat: 100_000, SpentMsat: 3000},
				{Which: "total", LimitMsat: 10_000_000, SpentMsat: 99_000},
			},
			Circuits: []figures.Circuit{{
				CircuitStatus: client.CircuitStatus{ID: "7", Path: []string{terms.Relay, terms.Relay, terms.Relay}, PayStream: "ebf064b1c7877810",
					RateMsat: 1000, Interval: time.Minute, Connections: 2, Bytes: 55_000_000, Goodput: 1_250_000},
				Names: []string{"guard", "<b>middle</b>", ""},
				Pay:   paystream.PayerStatus{Status: paystream.StatusDue, Round: 6, Rounds: 10, PaidThrough: 5, PaidMsat: 4000, Controller: Controller},
			}},
			Ended:   map[paystream.Reason]int64{paystream.ReasonQuality: 1},
			Refused: map[paystream.Reason]int64{paystream.ReasonFee: 4},
		},
	}
}
