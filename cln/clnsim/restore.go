package clnsim

import (
	"fmt"
	"maps"
)

// backup is a node's database as it was once: its invoices and its offers.
type backup struct {
	invoices invoiceBook
	offers   offerBook
}

// Snapshot keeps a node's invoices and offers as they are, for [World.Restore].
func (w *World) Snapshot(name string) error {
	n, err := w.node(name)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	n.kept = &backup{n.invoices.clone(), n.offers.clone()}
	return nil
}

// Restore does what an operator does who has only an old copy of his node's database: the node stops, and starts again
// with the invoices and offers of the last [World.Snapshot], or of the beginning. What was paid since stays paid, for the
// channels know, but the node remembers no invoice of it, and counts on from where it was then.
func (w *World) Restore(name string) error {
	n, err := w.node(name)
	if err != nil {
		return err
	}
	e := n.socket()
	if e == nil {
		return fmt.Errorf("node %q was not started", name)
	}
	e.close()
	w.mu.Lock()
	from := backup{newInvoiceBook(), newOfferBook()}
	if n.kept != nil {
		from = backup{n.kept.invoices.clone(), n.kept.offers.clone()} // it may be restored again
	}
	from.invoices.receivedMsat = n.invoices.receivedMsat
	n.invoices, n.offers = from.invoices, from.offers
	w.mu.Unlock()
	return e.open(w.ctx)
}

func (b *invoiceBook) clone() invoiceBook {
	c := newInvoiceBook()
	c.updated, c.deleted, c.receivedMsat = b.updated, b.deleted, b.receivedMsat
	c.created, c.paid = make([]*invoiceRow, len(b.created)), make([]*invoiceRow, len(b.paid))
	for i, r := range b.created {
		if r == nil {
			continue
		}
		row := *r
		c.created[i], c.byLabel[row.label], c.byHash[row.hash] = &row, &row, &row
		if row.paid {
			c.paid[row.payIndex-1] = &row
		}
		if r == b.lastUpdate {
			c.lastUpdate = &row
		}
	}
	return c
}

func (b *offerBook) clone() offerBook {
	c := offerBook{maps.Clone(b.byID)}
	for id, r := range c.byID {
		row := *r
		c.byID[id] = &row
	}
	return c
}
