package clnsim

import (
	"context"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/el-tor/tops/cln/clnsim/internal/bolt11"
	"github.com/el-tor/tops/cln/clnsim/internal/bolt12"
)

func firstWord(s string) string { w, _, _ := strings.Cut(s, " "); return w }

func getinfo(_ context.Context, n *node, _ *args) (any, error) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	peers := 1
	if n.offline {
		peers = 0
	}
	return map[string]any{
		"id": n.id, "alias": "PLAY MONEY " + n.name, "color": n.id[:6], "num_peers": peers,
		"num_pending_channels": 0, "num_active_channels": 1, "num_inactive_channels": 0,
		"address": []any{}, "binding": []any{}, "version": "v26.06.6-clnsim", "blockheight": 133, "network": "regtest",
		"fees_collected_msat": 0, "lightning-dir": "/nonexistent/play-money/regtest",
	}, nil
}

func help(_ context.Context, n *node, a *args) (any, error) {
	want := a.raw("command")
	list := []map[string]string{}
	for name, m := range methods {
		if (want == "" || firstWord(want) == name) && !slices.Contains(n.hide, name) {
			list = append(list, map[string]string{"command": m.usage})
		}
	}
	for _, p := range n.plugins.all() {
		for _, m := range p.manifest.RPCMethods {
			if want == "" || firstWord(want) == m.Name {
				list = append(list, map[string]string{"command": strings.TrimSpace(m.Name + " " + m.Usage)})
			}
		}
	}
	if want != "" && len(list) == 0 {
		return nil, errorf(codeUnknownMethod, "Unknown command '%s'", want)
	}
	slices.SortFunc(list, func(x, y map[string]string) int { return strings.Compare(x["command"], y["command"]) })
	return map[string]any{"help": list, "format-hint": "simple"}, nil
}

func listconfigs(_ context.Context, n *node, a *args) (any, error) {
	source := "cmdline"
	if n.exposed {
		source = "default"
	}
	all := map[string]any{
		"fetchinvoice-noconnect": map[string]any{"set": !n.exposed, "source": source, "plugin": "clnsim"},
		"always-use-proxy":       map[string]any{"value_bool": !n.exposed, "source": source},
	}
	if name := a.raw("config"); name != "" {
		v, ok := all[name]
		if !ok {
			return nil, errorf(codeParams, "config: Unknown config option: invalid token '%s'", a.values["config"])
		}
		all = map[string]any{name: v}
	}
	return map[string]any{"configs": all}, nil
}

// hub is the other end of every node's one channel.
func (n *node) hub() string { return hex.EncodeToString(n.hubKey()) }

func (n *node) hubKey() []byte {
	return n.w.deriveKey("hub", strconv.Itoa(n.hubs)).PubKey().SerializeCompressed()
}

func listpeerchannels(_ context.Context, n *node, a *args) (any, error) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	if id := a.raw("id"); id != "" && id != n.hub() {
		return map[string]any{"channels": []any{}}, nil
	}
	return map[string]any{"channels": []any{map[string]any{
		"peer_id": n.hub(), "peer_connected": !n.offline, "state": "CHANNELD_NORMAL", "opener": "local", "private": true,
		"features": []any{}, "short_channel_id": "128x1x0", "direction": 1, "to_us_msat": n.outMsat + n.heldMsat,
		"total_msat": n.outMsat + n.heldMsat + n.inMsat, "spendable_msat": n.outMsat, "receivable_msat": n.inMsat,
		"their_reserve_msat": 0, "our_reserve_msat": 0, "htlcs": []any{},
	}}}, nil
}

func listfunds(_ context.Context, n *node, _ *args) (any, error) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	return map[string]any{"outputs": []any{}, "channels": []any{map[string]any{
		"peer_id": n.hub(), "connected": !n.offline, "state": "CHANNELD_NORMAL", "short_channel_id": "128x1x0",
		"our_amount_msat": n.outMsat + n.heldMsat, "amount_msat": n.outMsat + n.heldMsat + n.inMsat,
		"funding_txid": hex.EncodeToString(n.w.derive("funding", n.name)), "funding_output": 0,
	}}}, nil
}

func decode(_ context.Context, _ *node, a *args) (any, error) {
	text := a.raw("string")
	prefix, s, err := bolt12.Decode(text)
	switch {
	case err == nil:
		return decodeBolt12(prefix, s), nil
	case prefix == bolt12.Offer || prefix == bolt12.InvoiceRequest || prefix == bolt12.Invoice:
		kind := map[string]string{bolt12.Offer: "offer", bolt12.InvoiceRequest: "invoice_request", bolt12.Invoice: "invoice"}[prefix]
		return nil, errorf(codeParams, "string: invalid %s data: invalid token '\"%s\"'", kind, text)
	}
	inv, err := bolt11.Decode(text)
	if err != nil {
		return nil, errorf(codeParams, "string: Invalid bolt11: %v: invalid token '\"%s\"'", err, text)
	}
	m := map[string]any{
		"type": "bolt11 invoice", "valid": true, "currency": inv.Currency, "created_at": inv.CreatedAt.Unix(), "expiry": int64(inv.Expiry.Seconds()),
		"payee": hex.EncodeToString(inv.Payee), "description": inv.Description, "min_final_cltv_expiry": inv.FinalCLTV,
		"payment_secret": hex.EncodeToString(inv.PaymentSecret[:]), "payment_hash": hex.EncodeToString(inv.PaymentHash[:]),
		"signature": hex.EncodeToString(inv.Signature), "features": "024100",
	}
	if inv.AmountMsat > 0 {
		m["amount_msat"] = inv.AmountMsat
	}
	if inv.DescriptionHash != nil {
		delete(m, "description")
		m["description_hash"] = hex.EncodeToString(inv.DescriptionHash)
	}
	return m, nil
}
