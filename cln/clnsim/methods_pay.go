package clnsim

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/el-tor/tops/cln/clnsim/internal/bolt12"
)

func pay(ctx context.Context, n *node, a *args) (any, error) {
	b, err := readBill(a.raw("bolt11"))
	if err != nil {
		return nil, err
	}
	r, err := payArgs(a, b)
	if err != nil {
		return nil, err
	}
	row, err := n.pay(ctx, r)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"payment_preimage": row.preimage, "amount_msat": row.amountMsat, "amount_sent_msat": row.sentMsat, "parts": row.parts,
		"destination": row.destination, "payment_hash": row.hash, "status": row.status,
		"created_at": float64(row.created.UnixNano()/1000) / 1e6,
	}, nil
}

func xpay(ctx context.Context, n *node, a *args) (any, error) {
	text := a.raw("invstring")
	if strings.HasPrefix(strings.ToLower(text), bolt12.Offer+"1") {
		s, err := n.fetchForXpay(ctx, a, text)
		if err != nil {
			return nil, err
		}
		text = bolt12.Encode(bolt12.Invoice, s)
		delete(a.values, "amount_msat")
	}
	b, err := readBill(text)
	if err != nil {
		return nil, err
	}
	r, err := payArgs(a, b)
	if err != nil {
		return nil, err
	}
	r.xpay = true
	row, err := n.pay(ctx, r)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"payment_preimage": row.preimage, "amount_msat": row.amountMsat, "amount_sent_msat": row.sentMsat,
		"failed_parts": row.parts - 1, "successful_parts": 1,
	}, nil
}

// fetchForXpay gets the invoice when xpay is given an offer.
func (n *node) fetchForXpay(ctx context.Context, a *args, offer string) (bolt12.Stream, error) {
	r := fetchRequest{offer: offer, note: a.raw("payer_note"), hasNote: a.has("payer_note"), timeout: time.Minute}
	r.amount, r.asked = a.msat("amount_msat")
	if s, ok := a.uint("retry_for"); ok {
		r.timeout = time.Duration(min(s, 86400)) * time.Second
	}
	if a.err != nil {
		return nil, a.err
	}
	return n.fetch(ctx, r)
}

// payArgs reads what pay and xpay have in common.
func payArgs(a *args, b bill) (payRequest, error) {
	r := payRequest{bill: b, maxFee: max(5000, b.amountMsat/100), retryFor: time.Minute, label: a.text("label")}
	amount, asked := a.msat("amount_msat")
	switch {
	case asked && b.bolt12:
		return r, errorf(codeParams, "Cannot override amount for bolt12 invoices")
	case asked && b.amountMsat > 0:
		return r, errorf(codeParams, "amount_msat parameter unnecessary")
	case b.amountMsat == 0 && (!asked || amount == 0):
		return r, errorf(codeParams, "amount_msat parameter required")
	case asked:
		r.bill.amountMsat = int64(amount)
	}
	if fee, ok := a.msat("maxfee"); ok {
		r.maxFee = int64(fee)
	}
	if s, ok := a.uint("retry_for"); ok {
		r.retryFor = time.Duration(min(s, 86400)) * time.Second
	}
	a.uint("maxdelay")
	return r, a.err
}

func listpays(_ context.Context, n *node, a *args) (any, error) {
	text, hash, status := a.raw("bolt11"), a.hash("payment_hash"), a.raw("status")
	start, starts := a.uint("start")
	limit, limits := a.uint("limit")
	switch {
	case a.err != nil:
		return nil, a.err
	case text != "" && hash != "":
		return nil, errorf(codeParams, "Can only specify one of {bolt11} or {payment_hash}")
	case starts && !a.has("index"):
		return nil, errorf(codeParams, "Can only specify {start} with {index}")
	case status != "" && !slices.Contains([]Status{Pending, Complete, Failed}, Status(status)):
		return nil, errorf(codeParams, "status: Unrecognized status: invalid token '%s'", a.values["status"])
	}
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	rows := n.pays.rows
	if hash != "" {
		rows = n.pays.byHash[hash]
	}
	now := time.Now()
	list := []any{}
	for _, r := range rows {
		if text != "" && r.invoice != text || status != "" && r.shown(now) != Status(status) || uint64(r.index) < start {
			continue
		}
		if limits && uint64(len(list)) == limit {
			break
		}
		list = append(list, r.view(now))
	}
	return map[string]any{"pays": list}, nil
}
