package figures

import (
	"time"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/client"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// Figures are those of one moment.
type Figures struct {
	Version string
	At      time.Time
	Started time.Time // of the process

	Lightning *Lightning // nil: no role needs a node
	Relay     *Relay     // nil: not a payee
	Client    *Client    // nil: not a payer
}

// Lightning is how the node is.
type Lightning struct {
	Problems       []string // in words; empty: all is well
	Answers        bool     // it was asked a moment ago and answered
	Channels       int      // in use
	SpendableMsat  int64
	ReceivableMsat int64
}

// Bar is what moved in one hour or day.
type Bar struct {
	From     time.Time
	Msat     int64
	Payments int
}

// Relay is the payee's side.
type Relay struct {
	Terms    policies.Terms
	Tor      tor.Health
	NodeAway time.Time // since when the node does not answer; zero if it does

	HourMsat, TodayMsat int64 // earned since the full hour, and since midnight
	EarnedMsat          int64 // ever, as are the next three
	ExcessMsat          int64
	LateMsat            int64
	UnclaimedMsat       int64
	Hours               []Bar // the last 24, the present one last
	Days                []Bar // the last 30

	Load       paystream.Load
	PayStreams []paystream.PayeeStatus // the first of the live ones
	Gateway    gateway.Stats
	Ended      map[paystream.Reason]int64 // pay streams, since the start
}

// Client is the payer's side.
type Client struct {
	SOCKS string // where apps connect
	Tor   tor.Health

	HourMsat, TodayMsat int64 // spent since the full hour, and since midnight
	SpentMsat           int64 // ever, routing included
	RoutingMsat         int64 // of it
	HeldMsat            int64 // may still be spent
	Hours               []Bar // the last 24

	Budget   []policies.Use
	Circuits []Circuit
	Ended    map[paystream.Reason]int64 // pay streams, since the start
	Refused  map[paystream.Reason]int64 // that never began
}

// Circuit is a paid circuit, with what is known of its pay stream.
type Circuit struct {
	client.CircuitStatus
	Names []string // nicknames of the path; empty where none is known
	Pay   paystream.PayerStatus
}

// Live is how many pay streams the client pays now.
func (c *Client) Live() (n int) {
	for _, circ := range c.Circuits {
		if circ.PayStream != "" {
			n++
		}
	}
	return n
}

// Fill makes n bars of those that are there, up to the one that holds at; step is
// an hour or a day.
func Fill(at time.Time, step time.Duration, n int, there []Bar) []Bar {
	out := make([]Bar, n)
	first := at.UTC().Truncate(step).Add(-time.Duration(n-1) * step)
	for i := range out {
		out[i].From = first.Add(time.Duration(i) * step)
	}
	for _, b := range there {
		if i := int(b.From.Sub(first) / step); !b.From.Before(first) && i < n {
			out[i].Msat += b.Msat
			out[i].Payments += b.Payments
		}
	}
	return out
}

// SinceMidnight sums up the bars of the day that at is in.
func SinceMidnight(at time.Time, hours []Bar) (msat int64) {
	midnight := at.UTC().Truncate(24 * time.Hour)
	for _, b := range hours {
		if !b.From.Before(midnight) {
			msat += b.Msat
		}
	}
	return msat
}
