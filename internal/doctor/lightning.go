package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"time"
)

// The oldest Core Lightning that can do this (offers are on by default), and the
// oldest that is recommended.
const (
	oldestNode      = "24.11"
	recommendedNode = "25.09"
)

// lookAtNode: does the node answer, is it new enough, and up to date?
func lookAtNode(_ context.Context, c *Case) []Finding {
	if c.Node == nil {
		return nil
	}
	rpc := c.Config.Lightning.RPC
	switch {
	case errors.Is(c.NodeErr, fs.ErrPermission):
		why, do := denied(rpc, true)
		return problem(do+"; lightningd makes the socket anew at every start: rpc-file-mode=0660 in its configuration", "%s: %s", rpc, why)
	case errors.Is(c.NodeErr, fs.ErrNotExist), errors.Is(c.NodeErr, syscall.ECONNREFUSED):
		return problem("start lightningd, or set lightning.rpc to its socket lightning-rpc (in its lightning-dir, under the network's name)", "nobody listens at %s", rpc)
	case c.NodeErr != nil:
		return problem("see lightningd's log", "%s: %v", rpc, c.NodeErr)
	}
	info := c.Health.Info
	const upgrade = "upgrade Core Lightning"
	out := ok("%s (%s) answers, version %s, on %s", info.Alias, short(info.ID, 8), info.Version, info.Network)
	switch n := versionNumber(info.Version); {
	case n < versionNumber(oldestNode):
		out = problem(upgrade, "version %s is too old: %s at least, for offers", info.Version, oldestNode)
	case n < versionNumber(recommendedNode):
		out = warning(upgrade, "version %s works, %s or newer is recommended", info.Version, recommendedNode)
	}
	if info.Network != "bitcoin" {
		out = append(out, warning("for real money set lightning.rpc to the node's socket of network bitcoin", "its network is %s: what is paid there is worth nothing", info.Network)...)
	}
	if strings.Contains(info.Version, "clnsim") {
		out = append(out, warning("for real money set lightning.rpc to a real lightningd's", "this node is the simulator: PLAY MONEY")...)
	}
	if info.ChainSync != "" {
		out = append(out, problem("wait, and see bitcoind's log", "the bitcoin node is behind: %s", short(info.ChainSync, 200))...)
	}
	if info.Syncing != "" {
		out = append(out, problem("wait, and see lightningd's log", "lightningd is behind: %s", short(info.Syncing, 200))...)
	}
	if info.NumPeers == 0 {
		out = append(out, problem("connect it (lightning-cli connect), and see whether its network works", "the node has no peers: nothing can be paid, and no invoice asked for")...)
	}
	return out
}

// lookAtLiquidity: can the node send, or receive, what the configuration asks?
func lookAtLiquidity(_ context.Context, c *Case) (out []Finding) {
	if !c.hasNode() {
		return nil
	}
	h := c.Health
	if h.Channels == 0 {
		return problem("open a channel (lightning-cli fundchannel); a payee needs one that somebody else has filled", "no channel is in use: the node can neither pay nor be paid")
	}
	if r := c.Config.Relay; r != nil {
		const get = "let somebody open a channel to the node, buy inbound liquidity, or spend through the channels that there are"
		one := max(r.RateMsat*int64(r.Prepay), r.FinalMsat, r.FeeMsat)
		all := c.Relay.Terms(r).Schedule().TotalMsat() * int64(r.MaxFree)
		switch {
		case h.ReceivableMsat < one:
			out = append(out, problem(get, "%s can be received, and one payment may be %s", sat(h.ReceivableMsat), sat(one))...)
		case h.ReceivableMsat < all:
			out = append(out, warning(get, "%s can be received; the %d pay streams that may begin at once bring %s when they pay in full",
				sat(h.ReceivableMsat), r.MaxFree, sat(all))...)
		default:
			out = append(out, ok("%s can be received in %s", sat(h.ReceivableMsat), count(h.Channels, "channel"))...)
		}
	}
	if p := c.Config.Client; p != nil {
		const get = "move money into a channel"
		switch {
		case h.SpendableMsat < p.MaxRoundMsat:
			out = append(out, problem(get, "%s can be spent, and one round may cost %s", sat(h.SpendableMsat), sat(p.MaxRoundMsat))...)
		case h.SpendableMsat < p.DayMsat:
			out = append(out, warning(get, "%s can be spent, less than a day's budget of %s", sat(h.SpendableMsat), sat(p.DayMsat))...)
		default:
			out = append(out, ok("%s can be spent in %s", sat(h.SpendableMsat), count(h.Channels, "channel"))...)
		}
	}
	return out
}

// requestsPerPeer is how many invoice requests a second Core Lightning lets in from
// one peer; the rest it drops without a word.
const requestsPerPeer = 4

// lookAtCapacity: how many pay streams can ask this payee's node for invoices?
func lookAtCapacity(_ context.Context, c *Case) []Finding {
	if !c.hasNode() || c.Config.Relay == nil || c.Health.Info.NumPeers == 0 {
		return nil
	}
	r := c.Config.Relay
	every := time.Duration(r.Interval)
	capacity := int(float64(requestsPerPeer*c.Health.Info.NumPeers) * every.Seconds())
	rule := fmt.Sprintf("the node answers %d invoice requests a second from each of its %s: enough for about %d pay streams that pay every %s",
		requestsPerPeer, count(c.Health.Info.NumPeers, "peer"), capacity, every)
	const more = "connect the node to more peers, make rounds longer (relay.interval), or let clients pay several at once (relay.prepay)"
	live := 0
	for _, p := range c.Status.PayStreams {
		if p.Role == "payee" {
			live++
		}
	}
	if live*5 > capacity*4 {
		return warning(more, "%s; %d are live", rule, live)
	}
	if capacity < 100 {
		return warning(more, "%s", rule)
	}
	return ok("%s", rule)
}

// lookAtPrivacy: would a payer's node show itself to those that it pays?
func lookAtPrivacy(_ context.Context, c *Case) []Finding {
	if !c.hasNode() || c.Config.Client == nil {
		return nil
	}
	const hide = "set fetchinvoice-noconnect or always-use-proxy=true in lightningd's configuration, then restart it"
	switch {
	case !c.Health.Exposed:
		return ok("the node does not connect to the relays that it pays")
	case c.Config.Lightning.AllowReveal:
		return warning(hide, "the node may connect straight to a relay that it pays and show it its address; lightning.allow_reveal allows that")
	}
	return problem(hide, "the node would connect straight to a relay that it pays and show it its address: tops refuses to pay from it")
}

// sat writes an amount for people.
func sat(msat int64) string {
	if msat%1000 == 0 {
		return fmt.Sprintf("%d sat", msat/1000)
	}
	return fmt.Sprintf("%d.%03d sat", msat/1000, msat%1000)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
