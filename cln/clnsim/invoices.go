package clnsim

import (
	"context"
	"time"
)

// invoiceRow is a row of listinvoices.
type invoiceRow struct {
	label       string
	text        string // the invoice itself
	bolt12      bool
	hash        string // hex
	preimage    string // hex
	amountMsat  int64  // 0: the payer chooses
	description string
	offerID     string
	note        string
	hasNote     bool
	expiresAt   time.Time

	paid         bool
	payIndex     int
	receivedMsat int64
	paidAt       time.Time
	createdIndex int
	updatedIndex int
}

func (r *invoiceRow) status(now time.Time) string {
	switch {
	case r.paid:
		return "paid"
	case now.After(r.expiresAt):
		return "expired"
	}
	return "unpaid"
}

// view is the row as listinvoices, waitanyinvoice and waitinvoice show it.
func (r *invoiceRow) view(now time.Time) map[string]any {
	m := map[string]any{
		"label": r.label, "payment_hash": r.hash, "status": r.status(now), "description": r.description,
		"expires_at": r.expiresAt.Unix(), "created_index": r.createdIndex,
	}
	if r.bolt12 {
		m["bolt12"] = r.text
		m["local_offer_id"] = r.offerID
	} else {
		m["bolt11"] = r.text
	}
	if r.hasNote {
		m["invreq_payer_note"] = r.note
	}
	if r.amountMsat > 0 {
		m["amount_msat"] = r.amountMsat
	}
	if r.updatedIndex > 0 {
		m["updated_index"] = r.updatedIndex
	}
	if r.paid {
		m["pay_index"] = r.payIndex
		m["amount_received_msat"] = r.receivedMsat
		m["paid_at"] = r.paidAt.Unix()
		m["payment_preimage"] = r.preimage
	}
	return m
}

// invoiceBook is a node's invoices, by every name that they are asked for. The world's mutex protects it.
type invoiceBook struct {
	byLabel      map[string]*invoiceRow
	byHash       map[string]*invoiceRow
	created      []*invoiceRow // by created_index−1; nil where one was deleted
	paid         []*invoiceRow // by pay_index−1; likewise
	updated      int           // the highest updated_index
	deleted      int
	receivedMsat int64 // of all that was ever paid, deleted since or not
	lastUpdate   *invoiceRow
	changed      chan struct{} // closed at the next change
}

func newInvoiceBook() invoiceBook {
	return invoiceBook{byLabel: map[string]*invoiceRow{}, byHash: map[string]*invoiceRow{}, changed: make(chan struct{})}
}

func (b *invoiceBook) add(r *invoiceRow) {
	b.created = append(b.created, r)
	r.createdIndex = len(b.created)
	b.byLabel[r.label], b.byHash[r.hash] = r, r
	b.wake()
}

func (b *invoiceBook) settle(r *invoiceRow, msat int64, now time.Time) {
	b.paid = append(b.paid, r)
	b.updated++
	r.paid, r.payIndex, r.receivedMsat, r.paidAt, r.updatedIndex = true, len(b.paid), msat, now, b.updated
	b.receivedMsat += msat
	b.lastUpdate = r
	b.wake()
}

func (b *invoiceBook) remove(r *invoiceRow) {
	delete(b.byLabel, r.label)
	delete(b.byHash, r.hash)
	b.created[r.createdIndex-1] = nil
	if r.paid {
		b.paid[r.payIndex-1] = nil
	}
	b.deleted++
	b.wake()
}

// after returns the first invoice that was paid after a pay_index.
func (b *invoiceBook) after(payIndex uint64) *invoiceRow {
	if payIndex >= uint64(len(b.paid)) {
		return nil
	}
	for _, r := range b.paid[payIndex:] {
		if r != nil {
			return r
		}
	}
	return nil
}

func (b *invoiceBook) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// await calls look, under the mutex, at once and after every change to the node's invoices, until it returns an answer
// or an error, timeout passes (ok is false), or ctx ends. A negative timeout is none.
func (n *node) await(ctx context.Context, timeout time.Duration, look func(now time.Time) (any, error)) (v any, ok bool, err error) {
	if timeout >= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	for {
		n.w.mu.Lock()
		v, err := look(time.Now())
		changed := n.invoices.changed
		n.w.mu.Unlock()
		if v != nil || err != nil {
			return v, true, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, false, nil
		}
	}
}
