package clnsim

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/el-tor/tops/cln/clnsim/internal/bolt12"
)

// method is a command of the node. Its usage line names the parameters in order; help shows it, and newArgs goes by it.
type method struct {
	usage string
	run   func(ctx context.Context, n *node, a *args) (any, error)
}

// methods are filled in by init, since help shows them all.
var methods map[string]method

func init() {
	methods = map[string]method{}
	for _, m := range []method{
		{"getinfo", getinfo},
		{"help [command]", help},
		{"listconfigs [config]", listconfigs},
		{"listpeerchannels [id]", listpeerchannels},
		{"listfunds [spent]", listfunds},
		{"decode string", decode},
		{"offer amount [description] [issuer] [label] [quantity_max] [absolute_expiry] [recurrence] [recurrence_base] [recurrence_paywindow] [recurrence_limit] [single_use] [proportional_amount] [optional_recurrence] [fronting_nodes]", makeOffer},
		{"listoffers [offer_id] [active_only]", listoffers},
		{"disableoffer offer_id", disableoffer},
		{"enableoffer offer_id", enableoffer},
		{"fetchinvoice offer [amount_msat] [quantity] [recurrence_counter] [recurrence_start] [recurrence_label] [timeout] [payer_note] [payer_metadata] [bip353]", fetchinvoice},
		{"fetchbip353 address", fetchbip353},
		{"pay bolt11 [amount_msat] [label] [riskfactor] [maxfeepercent] [retry_for] [maxdelay] [exemptfee] [localinvreqid] [exclude] [maxfee] [description] [partial_msat]", pay},
		{"xpay invstring [amount_msat] [maxfee] [layers] [retry_for] [partial_msat] [maxdelay] [payer_note] [label] [localinvreqid] [dev_use_shadow]", xpay},
		{"listpays [bolt11] [payment_hash] [status] [index] [start] [limit]", listpays},
		{"invoice amount_msat label description [expiry] [fallbacks] [preimage] [exposeprivatechannels] [cltv] [deschashonly]", invoice},
		{"listinvoices [label] [invstring] [payment_hash] [offer_id] [index] [start] [limit]", listinvoices},
		{"delinvoice label status [desconly]", delinvoice},
		{"waitinvoice label", waitinvoice},
		{"waitanyinvoice [lastpay_index] [timeout]", waitanyinvoice},
		{"wait subsystem indexname nextvalue", wait},
		{"plugin subcommand [plugin] [directory] [options] ...", pluginCommand},
	} {
		methods[firstWord(m.usage)] = m
	}
}

func makeOffer(_ context.Context, n *node, a *args) (any, error) {
	s := bolt12.Stream{}.Set(bolt12.OfferChains, regtest).Set(bolt12.OfferIssuerID, n.key.PubKey().SerializeCompressed())
	if amount := a.raw("amount"); amount != "any" {
		msat, ok := parseMsat(amount)
		if !ok || msat == 0 {
			return nil, errorf(codeParams, "amount: should be 'any', msatoshis or <amount>[.<amount>]<ISO-4217>: invalid token '%s'", a.values["amount"])
		}
		if !a.has("description") {
			return nil, errorf(codeParams, "description is required for the user to know what it was they paid for")
		}
		s = s.SetUint(bolt12.OfferAmount, msat)
	}
	if a.has("description") {
		s = s.Set(bolt12.OfferDescription, []byte(a.text("description")))
	}
	if a.has("issuer") {
		s = s.Set(bolt12.OfferIssuer, []byte(a.text("issuer")))
	}
	if end, ok := a.uint("absolute_expiry"); ok {
		s = s.SetUint(bolt12.OfferExpiry, end)
	}
	if fronts := a.keys("fronting_nodes"); len(fronts) > 0 {
		_, random := newPreimage()
		var paths []byte
		for _, f := range fronts {
			paths = append(paths, n.blindedPath(f, random)...)
		}
		s = s.Set(bolt12.OfferPaths, paths)
	} else if n.hidden {
		_, random := newPreimage()
		n.w.mu.Lock()
		hub := n.hubKey()
		n.w.mu.Unlock()
		s = s.Set(bolt12.OfferPaths, n.blindedPath(hub, random))
	}
	id := s.OfferID()
	row := &offerRow{
		id: hex.EncodeToString(id[:]), text: bolt12.Encode(bolt12.Offer, s), stream: s, active: true,
		singleUse: a.flag("single_use"), label: a.text("label"),
	}
	if a.err != nil {
		return nil, a.err
	}
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	old, created := n.offers.byID[row.id], true
	switch {
	case old != nil && !old.active:
		return nil, errorf(codeOfferExists, "Already exists, but isn't active")
	case old != nil:
		row, created = old, false
	default:
		n.offers.byID[row.id] = row
	}
	v := row.view()
	delete(v, "description")
	v["created"] = created
	return v, nil
}

func listoffers(_ context.Context, n *node, a *args) (any, error) {
	id, activeOnly := a.hash("offer_id"), a.flag("active_only")
	if a.err != nil {
		return nil, a.err
	}
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	list := []any{}
	for _, r := range n.offers.sorted() {
		if (id == "" || r.id == id) && (r.active || !activeOnly) {
			list = append(list, r.view())
		}
	}
	return map[string]any{"offers": list}, nil
}

func disableoffer(_ context.Context, n *node, a *args) (any, error) {
	return n.switchOffer(a, false, errorf(codeOfferInactive, "offer is not active"))
}

func enableoffer(_ context.Context, n *node, a *args) (any, error) {
	return n.switchOffer(a, true, errorf(codeOfferActive, "offer already active"))
}

func (n *node) switchOffer(a *args, on bool, already error) (any, error) {
	id := a.hash("offer_id")
	if a.err != nil {
		return nil, a.err
	}
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	row := n.offers.byID[id]
	switch {
	case row == nil:
		return nil, errorf(codeGeneric, "Unknown offer")
	case row.active == on:
		return nil, already
	}
	row.active = on
	return row.view(), nil
}

func fetchinvoice(ctx context.Context, n *node, a *args) (any, error) {
	r := fetchRequest{offer: a.raw("offer"), note: a.raw("payer_note"), hasNote: a.has("payer_note"), metadata: a.hex("payer_metadata"), timeout: time.Minute}
	r.amount, r.asked = a.msat("amount_msat")
	if s, ok := a.uint("timeout"); ok {
		r.timeout = time.Duration(min(s, 86400)) * time.Second
	}
	if a.err != nil {
		return nil, a.err
	}
	s, err := n.fetch(ctx, r)
	if err != nil {
		return nil, err
	}
	return map[string]any{"invoice": bolt12.Encode(bolt12.Invoice, s), "changes": struct{}{}}, nil
}

// fetchbip353 finds no proof in any DNS, and says so in the proof.
func fetchbip353(_ context.Context, n *node, a *args) (any, error) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	offer := n.w.names[a.text("address")]
	if offer == "" {
		return nil, errorf(codeNoName, "no payment instructions found")
	}
	return map[string]any{"proof": hex.EncodeToString([]byte("play money")), "instructions": []any{map[string]any{"offer": offer}}}, nil
}
