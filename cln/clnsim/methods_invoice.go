package clnsim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/el-tor/tops/cln/clnsim/internal/bolt11"
)

func invoice(_ context.Context, n *node, a *args) (any, error) {
	row := &invoiceRow{label: a.text("label"), description: a.text("description")}
	if a.raw("amount_msat") != "any" {
		msat, ok := a.msat("amount_msat")
		if ok && msat == 0 {
			a.fail("amount_msat", "should be positive msat or 'any'")
		}
		row.amountMsat = int64(msat)
	}
	expiry := uint64(604800)
	if e, ok := a.uint("expiry"); ok {
		expiry = min(e, 1<<31)
	}
	preimage, hash := newPreimage()
	if p := a.hex("preimage"); p != nil {
		h := sha256.Sum256(p)
		preimage, hash = p, h[:]
	}
	cltv := uint64(10)
	if c, ok := a.uint("cltv"); ok {
		cltv = min(c, 2016)
	}
	hashOnly := a.flag("deschashonly")
	if a.err != nil {
		return nil, a.err
	}
	now := time.Now().Truncate(time.Second)
	inv := bolt11.Invoice{
		Currency: "bcrt", AmountMsat: row.amountMsat, CreatedAt: now, Expiry: time.Duration(expiry) * time.Second,
		PaymentHash: [32]byte(hash), Description: row.description, FinalCLTV: int64(cltv),
	}
	copy(inv.PaymentSecret[:], n.w.derive("payment secret", n.name, hex.EncodeToString(hash)))
	if hashOnly {
		h := sha256.Sum256([]byte(row.description))
		inv.DescriptionHash = h[:]
	}
	row.text, row.expiresAt = bolt11.Encode(inv, n.key), now.Add(inv.Expiry)
	row.hash, row.preimage = hex.EncodeToString(hash), hex.EncodeToString(preimage)

	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	if n.invoices.byLabel[row.label] != nil {
		return nil, errorf(codeLabelTaken, "Duplicate label '%s'", row.label)
	}
	if n.invoices.byHash[row.hash] != nil {
		return nil, errorf(codeLabelTaken+1, "preimage already used")
	}
	n.invoices.add(row)
	n.tell("invoice_creation", map[string]any{"msat": row.amountMsat, "preimage": row.preimage, "label": row.label})
	return map[string]any{
		"payment_hash": row.hash, "expires_at": row.expiresAt.Unix(), "bolt11": row.text,
		"payment_secret": hex.EncodeToString(inv.PaymentSecret[:]), "created_index": row.createdIndex,
	}, nil
}

func listinvoices(_ context.Context, n *node, a *args) (any, error) {
	label, text, hash, offer := a.text("label"), a.raw("invstring"), a.hash("payment_hash"), a.hash("offer_id")
	start, starts := a.uint("start")
	limit, limits := a.uint("limit")
	index := a.raw("index")
	selectors := 0
	for _, name := range []string{"label", "invstring", "payment_hash", "offer_id"} {
		if a.has(name) {
			selectors++
		}
	}
	switch {
	case a.err != nil:
		return nil, a.err
	case selectors > 1:
		return nil, errorf(codeParams, "Can only specify one of {label}, {invstring}, {payment_hash} or {offer_id}")
	case starts && index == "":
		return nil, errorf(codeParams, "Can only specify {start} with {index}")
	case index != "" && index != "created" && index != "updated":
		return nil, errorf(codeParams, "index: unknown index type: invalid token '%s'", a.values["index"])
	}
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	now := time.Now()
	list := []any{}
	rows := n.invoices.created
	at := func(r *invoiceRow) int { return r.createdIndex }
	if index == "updated" {
		rows = n.invoices.paid // only being paid updates an invoice here
		at = func(r *invoiceRow) int { return r.updatedIndex }
	}
	switch {
	case a.has("label"):
		rows = []*invoiceRow{n.invoices.byLabel[label]}
	case a.has("payment_hash"):
		rows = []*invoiceRow{n.invoices.byHash[hash]}
	}
	for _, r := range rows {
		if r == nil || text != "" && r.text != text || offer != "" && r.offerID != offer || uint64(at(r)) < start {
			continue
		}
		if limits && uint64(len(list)) == limit {
			break
		}
		list = append(list, r.view(now))
	}
	return map[string]any{"invoices": list}, nil
}

func delinvoice(_ context.Context, n *node, a *args) (any, error) {
	label, status, descOnly := a.text("label"), a.raw("status"), a.flag("desconly")
	if a.err != nil {
		return nil, a.err
	}
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	row := n.invoices.byLabel[label]
	if row == nil {
		return nil, errorf(codeNoLabel, "Unknown invoice")
	}
	now := time.Now()
	if is := row.status(now); is != status {
		return nil, errorf(codeWrongStatus, "Invoice status is %s not %s", is, status).
			with(map[string]string{"current_status": is, "expected_status": status})
	}
	v := row.view(now)
	if descOnly {
		row.description = ""
		return row.view(now), nil
	}
	n.invoices.remove(row)
	return v, nil
}

func waitinvoice(ctx context.Context, n *node, a *args) (any, error) {
	label := a.text("label")
	if a.err != nil {
		return nil, a.err
	}
	v, ok, err := n.await(ctx, -1, func(now time.Time) (any, error) {
		row := n.invoices.byLabel[label]
		switch {
		case row == nil:
			return nil, errorf(codeGeneric, "Label not found")
		case row.paid:
			return row.view(now), nil
		case row.status(now) == "expired":
			return nil, errorf(codeWaitExpired, "Invoice expired").with(row.view(now))
		}
		return nil, nil
	})
	if !ok {
		return nil, errGone
	}
	return v, err
}

// errGone answers a caller that has gone: nobody reads it.
var errGone = errors.New("the caller has gone")

func waitanyinvoice(ctx context.Context, n *node, a *args) (any, error) {
	last, _ := a.uint("lastpay_index")
	timeout := time.Duration(-1)
	if s, ok := a.uint("timeout"); ok {
		timeout = time.Duration(min(s, 1<<31)) * time.Second
	}
	if a.err != nil {
		return nil, a.err
	}
	v, ok, err := n.await(ctx, timeout, func(now time.Time) (any, error) {
		if row := n.invoices.after(last); row != nil {
			return row.view(now), nil
		}
		return nil, nil
	})
	if !ok {
		return nil, errorf(codeWaitTimeout, "Timed out while waiting for invoice to be paid")
	}
	return v, err
}

// wait is for the subsystem invoices alone.
func wait(ctx context.Context, n *node, a *args) (any, error) {
	next, _ := a.uint("nextvalue")
	subsystem, index := a.raw("subsystem"), a.raw("indexname")
	if a.err != nil {
		return nil, a.err
	}
	if subsystem != "invoices" {
		return nil, errorf(codeParams, "subsystem: unknown subsystem: invalid token '%s'", a.values["subsystem"])
	}
	v, ok, err := n.await(ctx, -1, func(now time.Time) (any, error) {
		b := &n.invoices
		details := map[string]any{}
		var at int
		switch index {
		case "created":
			at = len(b.created)
			if at > 0 && b.created[at-1] != nil {
				r := b.created[at-1]
				details = map[string]any{"status": r.status(now), "label": r.label}
				details[map[bool]string{true: "bolt12", false: "bolt11"}[r.bolt12]] = r.text
			}
		case "updated":
			at = b.updated
			if b.lastUpdate != nil {
				details = map[string]any{"status": "paid", "label": b.lastUpdate.label}
			}
		case "deleted":
			at = b.deleted
		default:
			return nil, errorf(codeParams, "indexname: unknown index: invalid token '%s'", a.values["indexname"])
		}
		if uint64(at) < next {
			return nil, nil
		}
		v := map[string]any{"subsystem": subsystem, index: at}
		if next > 0 && len(details) > 0 {
			v["invoices"] = details
		}
		return v, nil
	})
	if !ok {
		return nil, errGone
	}
	return v, err
}
