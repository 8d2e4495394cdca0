package clnsim

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/el-tor/tops/cln/clnsim/internal/bolt12"
)

// Backlog lets one node have paid another n times, 1 sat each, to an offer of its own, without the work: a relay that
// was away for long finds as much. note gives the payer's note of the i-th. The rows share the text of one invoice;
// everything else is as if they had been paid one after the other.
func (w *World) Backlog(from, to string, n int, note func(i int) string) error {
	payer, err := w.node(from)
	if err != nil {
		return err
	}
	payee, err := w.node(to)
	if err != nil {
		return err
	}
	const msat = 1000
	w.mu.Lock()
	defer w.mu.Unlock()
	if total := int64(n) * msat; payer.outMsat < total || payee.inMsat < total {
		return fmt.Errorf("%s cannot pay %s %d msat", from, to, total)
	}
	offer := bolt12.Stream{}.Set(bolt12.OfferChains, regtest).Set(bolt12.OfferDescription, []byte("backlog")).
		Set(bolt12.OfferIssuerID, payee.key.PubKey().SerializeCompressed())
	id := offer.OfferID()
	row := &offerRow{id: hex.EncodeToString(id[:]), text: bolt12.Encode(bolt12.Offer, offer), stream: offer, active: true, used: true}
	payee.offers.byID[row.id] = row
	now := time.Now()
	text := bolt12.Encode(bolt12.Invoice, offer)
	for i := range n {
		preimage, hash := newPreimage()
		inv := &invoiceRow{
			label: fmt.Sprintf("%s-%s-%d", row.id, payer.id, len(payee.invoices.created)), text: text, bolt12: true, hash: hex.EncodeToString(hash),
			preimage: hex.EncodeToString(preimage), amountMsat: msat, description: "backlog", offerID: row.id,
			note: note(i), hasNote: true, expiresAt: now.Add(w.opts.InvoiceExpiry),
		}
		payee.invoices.add(inv)
		payer.outMsat -= msat
		payer.inMsat += msat
		payee.outMsat += msat
		payee.inMsat -= msat
		w.payments = append(w.payments, &Payment{
			Hash: inv.hash, From: from, To: to, AmountMsat: msat, Status: Complete, Label: inv.label, OfferID: row.id, Note: inv.note,
			Started: now, Ended: now,
		})
		payee.invoices.settle(inv, msat, now)
	}
	return nil
}
