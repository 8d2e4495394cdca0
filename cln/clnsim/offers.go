package clnsim

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/el-tor/tops/cln/clnsim/internal/bolt12"
)

// regtest is the hash of the genesis block of the chain that all play money is on.
var regtest = []byte{
	0x06, 0x22, 0x6e, 0x46, 0x11, 0x1a, 0x0b, 0x59, 0xca, 0xaf, 0x12, 0x60, 0x43, 0xeb, 0x5b, 0xbf,
	0x28, 0xc3, 0x4f, 0x3a, 0x5e, 0x33, 0x2a, 0x1f, 0xc7, 0xb2, 0xb7, 0x3c, 0xf1, 0x88, 0x91, 0x0f,
}

// offerRow is a row of listoffers.
type offerRow struct {
	id        string
	text      string
	stream    bolt12.Stream
	active    bool
	singleUse bool
	used      bool
	label     string
}

func (r *offerRow) view() map[string]any {
	m := map[string]any{
		"offer_id": r.id, "active": r.active, "single_use": r.singleUse, "bolt12": r.text, "force_paths": false, "used": r.used,
	}
	if r.label != "" {
		m["label"] = r.label
	}
	if d, ok := r.stream.Get(bolt12.OfferDescription); ok {
		m["description"] = string(d)
	}
	return m
}

// offerBook is a node's offers. The world's mutex protects it.
type offerBook struct{ byID map[string]*offerRow }

func newOfferBook() offerBook { return offerBook{map[string]*offerRow{}} }

func (b *offerBook) sorted() []*offerRow {
	out := make([]*offerRow, 0, len(b.byID))
	for _, r := range b.byID {
		out = append(out, r)
	}
	slices.SortFunc(out, func(x, y *offerRow) int { return strings.Compare(x.id, y.id) })
	return out
}

// request is the payee's side of fetchinvoice: it makes an invoice for an invoice request, or says why not.
//
// One request makes one invoice, because the label is made of the offer and of the payer's key, which the payer derives
// from the metadata. As in Core Lightning the same key with another note or amount gets the first invoice again (and its
// sender then sees that it does not match), an expired one makes room for a new one, and a paid one is an error.
func (n *node) request(req bolt12.Stream) (invoice bolt12.Stream, refusal string) {
	w := n.w
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	fail := func(why string) (bolt12.Stream, string) {
		return nil, fmt.Sprintf("Failed invreq %s: %s", bolt12.Encode(bolt12.InvoiceRequest, req), why)
	}
	id := req.OfferID()
	offer := n.offers.byID[hex.EncodeToString(id[:])]
	if offer == nil || !offer.active {
		return fail("Offer no longer available")
	}
	if end, ok := offer.stream.Uint(bolt12.OfferExpiry); ok && uint64(now.Unix()) > end {
		return fail("Offer expired")
	}
	amount, asked := req.Uint(bolt12.InvreqAmount)
	if least, fixed := offer.stream.Uint(bolt12.OfferAmount); fixed {
		if asked && amount < least {
			return fail(fmt.Sprintf("Amount must be at least %dmsat", least))
		}
		if !asked {
			amount = least
		}
	}
	payer, _ := req.Get(bolt12.InvreqPayerID)
	label := offer.id + "-" + hex.EncodeToString(payer) + "-0"
	if row := n.invoices.byLabel[label]; row != nil {
		switch row.status(now) {
		case "paid":
			return nil, "Internal error"
		case "unpaid":
			_, s, err := bolt12.Decode(row.text)
			if err != nil {
				return nil, "Internal error"
			}
			return s, ""
		}
		n.invoices.remove(row)
	}
	return n.newInvoice(offer, req, label, amount, now), ""
}

// newInvoice makes an invoice and its row. The mutex is held.
func (n *node) newInvoice(offer *offerRow, req bolt12.Stream, label string, amount uint64, now time.Time) bolt12.Stream {
	preimage, hash := newPreimage()
	s := req.Unsigned().
		Set(bolt12.InvoicePaths, n.blindedPath(n.key.PubKey().SerializeCompressed(), hash)).
		Set(bolt12.InvoicePayInfo, payInfo()).
		SetUint(bolt12.InvoiceCreatedAt, uint64(now.Unix())).
		Set(bolt12.InvoicePaymentHash, hash).
		SetUint(bolt12.InvoiceAmount, amount).
		Set(bolt12.InvoiceFeatures, []byte{2, 0, 0}).
		Set(bolt12.InvoiceNodeID, n.key.PubKey().SerializeCompressed())
	if e := uint64(n.w.opts.InvoiceExpiry / time.Second); e != defaultInvoiceExpiry {
		s = s.SetUint(bolt12.InvoiceExpiry, e)
	}
	s = bolt12.Sign("invoice", s, n.key)
	note, hasNote := req.Get(bolt12.InvreqPayerNote)
	n.invoices.add(&invoiceRow{
		label: label, text: bolt12.Encode(bolt12.Invoice, s), bolt12: true, hash: hex.EncodeToString(hash), preimage: hex.EncodeToString(preimage),
		amountMsat: int64(amount), description: offer.stream.Text(bolt12.OfferDescription), offerID: offer.id,
		note: string(note), hasNote: hasNote, expiresAt: now.Truncate(time.Second).Add(n.w.opts.InvoiceExpiry),
	})
	n.tell("invoice_creation", map[string]any{
		"msat": amount, "preimage": hex.EncodeToString(preimage), "label": label, "offer_id": offer.id,
	})
	return s
}

const defaultInvoiceExpiry = 7200 // seconds; BOLT 12
