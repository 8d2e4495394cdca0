package cln

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/el-tor/tops/paystream"
)

// Invoice implements [paystream.Receiver]. A label that is taken by an invoice which is not the one wanted is
// paystream.ErrPaid, whatever became of that one: it will not be used again. If it was unpaid it is deleted.
func (r *Receiver) Invoice(ctx context.Context, label string, amountMsat int64, description string) (string, error) {
	text, err := r.c.MakeInvoice(ctx, label, Msat(amountMsat), description, r.expiry)
	if !HasCode(err, CodeLabelTaken) {
		return text, unavailable(err)
	}
	inv, ok, err := r.c.InvoiceByLabel(ctx, label)
	switch {
	case err != nil:
		return "", unavailable(err)
	case ok && inv.Status == "unpaid" && inv.AmountMsat == Msat(amountMsat) && inv.Bolt11 != "":
		return inv.Bolt11, nil
	case ok && inv.Status != "paid":
		if err := r.DeleteInvoice(ctx, label); err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("%w: its label was used before", paystream.ErrPaid)
}

// DeleteInvoice implements [paystream.Receiver].
func (r *Receiver) DeleteInvoice(ctx context.Context, label string) error {
	status := "unpaid"
	for range 2 {
		err := r.c.DeleteInvoice(ctx, label, status)
		if err == nil || HasCode(err, CodeNoInvoice) {
			return nil
		}
		if !HasCode(err, CodeInvoiceStatus) {
			return unavailable(err)
		}
		status = currentStatus(err)
		if status == "paid" {
			return paystream.ErrPaid
		}
	}
	return fmt.Errorf("lightning: the invoice is neither unpaid nor paid but %q", status)
}

// currentStatus is what delinvoice says the status is, when it is not the one given.
func currentStatus(err error) string {
	var e *Error
	var d struct {
		Current string `json:"current_status"`
	}
	if !errors.As(err, &e) || json.Unmarshal(e.Data, &d) != nil {
		return ""
	}
	return d.Current
}

// Sweep deletes expired invoices of ours, one page of the node's list from a created_index on, and says where the next
// page begins: the same place when there is nothing after it. Every invoice request leaves a row in the node, and only
// those that ours says are ours are touched, by label.
func (r *Receiver) Sweep(ctx context.Context, from uint64, ours func(Invoice) bool) (next uint64, deleted int, err error) {
	const page = 200
	rows, err := r.c.ListInvoices(ctx, max(from, 1), page)
	if err != nil {
		return from, 0, unavailable(err)
	}
	for _, inv := range rows {
		if inv.Status == "unpaid" && ours(inv) {
			return inv.CreatedIndex, deleted, nil // come back when it has expired
		}
		if inv.Status == "expired" && ours(inv) {
			err := r.c.DeleteInvoice(ctx, inv.Label, "expired")
			if err != nil && !HasCode(err, CodeNoInvoice) && !HasCode(err, CodeInvoiceStatus) {
				return inv.CreatedIndex, deleted, unavailable(err)
			}
			deleted++
		}
		from = inv.CreatedIndex + 1
	}
	return from, deleted, nil
}

// unavailable marks an error that came from no answer.
func unavailable(err error) error {
	if errors.Is(err, ErrUnreachable) || errors.Is(err, ErrNoAnswer) {
		return fmt.Errorf("%w: %w", paystream.ErrUnavailable, err)
	}
	return err
}
