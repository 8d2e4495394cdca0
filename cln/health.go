package cln

import (
	"context"
	"encoding/json"
	"fmt"
)

// Health is how a node is.
type Health struct {
	Info           Info
	Channels       int   // in use, with the peer connected
	SpendableMsat  int64 // outbound liquidity in them
	ReceivableMsat int64 // inbound
	Exposed        bool  // fetchinvoice may connect straight to a payee, who then sees the node's address
}

// Need is what a node must be able to do.
type Need struct {
	SpendMsat   int64 // a payer's node: the most that a pay stream may cost
	ReceiveMsat int64 // a payee's node: what it hopes to earn before somebody looks
	Hidden      bool  // a payer's node: it must not connect to payees by itself
}

// Health asks the node how it is. An error means that it does not answer.
func (c *Client) Health(ctx context.Context) (Health, error) {
	info, err := c.GetInfo(ctx)
	if err != nil {
		return Health{}, unavailable(err)
	}
	h := Health{Info: info}
	channels, err := c.ListChannels(ctx)
	if err != nil {
		return h, unavailable(err)
	}
	for _, ch := range channels {
		if ch.Connected && ch.State == "CHANNELD_NORMAL" {
			h.Channels++
			h.SpendableMsat += int64(ch.SpendableMsat)
			h.ReceivableMsat += int64(ch.ReceivableMsat)
		}
	}
	hidden, err := c.hidesPayer(ctx)
	h.Exposed = !hidden
	return h, unavailable(err)
}

// Problems says in words what keeps the node from doing what is needed; nothing if all is well.
func (h Health) Problems(need Need) []string {
	var out []string
	add := func(bad bool, format string, args ...any) {
		if bad {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	add(h.Info.ChainSync != "", "the bitcoin node is behind: %s", shorten(h.Info.ChainSync))
	add(h.Info.Syncing != "", "lightningd is behind: %s", shorten(h.Info.Syncing))
	add(h.Info.NumPeers == 0, "the node has no peers")
	add(h.Info.NumPeers > 0 && h.Channels == 0, "no channel is in use: the node can neither pay nor be paid")
	add(h.Channels > 0 && h.SpendableMsat < need.SpendMsat, "outbound liquidity is %d msat, %d are needed: move money into a channel", h.SpendableMsat, need.SpendMsat)
	add(h.Channels > 0 && h.ReceivableMsat < need.ReceiveMsat, "inbound liquidity is %d msat, %d are needed: let somebody open a channel to the node, or spend", h.ReceivableMsat, need.ReceiveMsat)
	add(need.Hidden && h.Exposed, "fetchinvoice would connect straight to relays and show them the node's address: set fetchinvoice-noconnect or always-use-proxy=true in lightningd's configuration")
	return out
}

// hidesPayer reports whether one of the two options is set that keep fetchinvoice from connecting to the payee.
func (c *Client) hidesPayer(ctx context.Context) (bool, error) {
	var v struct{ Configs map[string]json.RawMessage }
	if err := c.Call(ctx, "listconfigs", nil, &v); err != nil {
		return false, err
	}
	for _, name := range []string{"fetchinvoice-noconnect", "always-use-proxy"} {
		var o struct {
			Set       bool
			ValueBool bool `json:"value_bool"`
		}
		if json.Unmarshal(v.Configs[name], &o) == nil && (o.Set || o.ValueBool) {
			return true, nil
		}
	}
	return false, nil
}
