package clnsim

import (
	"errors"
	"fmt"
	"time"
)

// Status of a payment, in Core Lightning's words.
type Status string

// A payment is under way, settled or failed.
const (
	Pending  Status = "pending"
	Complete Status = "complete"
	Failed   Status = "failed"
)

// Payment is one payment in the world's ledger: what really happened, whatever the books of either side say.
type Payment struct {
	Hash       string    `json:"payment_hash"`
	From       string    `json:"from"` // node names
	To         string    `json:"to"`
	AmountMsat int64     `json:"amount_msat"`
	FeeMsat    int64     `json:"fee_msat"`
	Status     Status    `json:"status"`
	Label      string    `json:"label"` // the payee's invoice
	OfferID    string    `json:"offer_id,omitempty"`
	Note       string    `json:"payer_note,omitempty"`
	Started    time.Time `json:"started"`
	Ended      time.Time `json:"ended,omitzero"`
}

// Balance is a node's money.
type Balance struct {
	OutMsat      int64 `json:"out_msat"`  // it can send so much
	InMsat       int64 `json:"in_msat"`   // it can receive so much
	HeldMsat     int64 `json:"held_msat"` // in payments under way, not in OutMsat
	SentMsat     int64 `json:"sent_msat"` // settled, without fees
	FeesMsat     int64 `json:"fees_msat"` // what routing took of it
	ReceivedMsat int64 `json:"received_msat"`
}

// Payments lists every payment in the order in which they began.
func (w *World) Payments() []Payment {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]Payment, len(w.payments))
	for i, p := range w.payments {
		out[i] = *p
	}
	return out
}

// Balances gives every node's money.
func (w *World) Balances() map[string]Balance {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.balancesLocked()
}

func (w *World) balancesLocked() map[string]Balance {
	out := make(map[string]Balance, len(w.nodes))
	for name, n := range w.nodes {
		out[name] = Balance{OutMsat: n.outMsat, InMsat: n.inMsat, HeldMsat: n.heldMsat}
	}
	for _, p := range w.payments {
		if p.Status != Complete {
			continue
		}
		from, to := out[p.From], out[p.To]
		from.SentMsat += p.AmountMsat
		from.FeesMsat += p.FeeMsat
		out[p.From] = from
		if p.From == p.To {
			to = from
		}
		to.ReceivedMsat += p.AmountMsat
		out[p.To] = to
	}
	return out
}

// Audit checks what must hold at any moment: no money was made or lost, no invoice was paid twice, and each node's
// invoices say what the payments say. It returns every difference.
func (w *World) Audit() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var errs []error
	sum := w.routerMsat
	for _, n := range w.nodes {
		sum += n.outMsat + n.heldMsat
	}
	if sum != w.minted {
		errs = append(errs, fmt.Errorf("the nodes hold %d msat of %d", sum, w.minted))
	}
	settled := map[string]bool{}
	for _, p := range w.payments {
		if p.Status != Complete {
			continue
		}
		if settled[p.Hash] {
			errs = append(errs, fmt.Errorf("%s paid %s twice for invoice %s", p.From, p.To, p.Hash))
		}
		settled[p.Hash] = true
	}
	for name, b := range w.balancesLocked() {
		if got := w.nodes[name].invoices.receivedMsat; got != b.ReceivedMsat {
			errs = append(errs, fmt.Errorf("%s: invoices for %d msat are paid, payments brought %d", name, got, b.ReceivedMsat))
		}
	}
	return errors.Join(errs...)
}
