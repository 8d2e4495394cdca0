package cln

import (
	"context"
	"strings"
	"time"
)

// Info is what getinfo says, as far as it matters here.
type Info struct {
	ID          string
	Alias       string
	Version     string
	Network     string
	NumPeers    int    `json:"num_peers"`
	Blockheight int    `json:"blockheight"`
	Syncing     string `json:"warning_lightningd_sync"` // why it is behind; empty if it is not
	ChainSync   string `json:"warning_bitcoind_sync"`
}

// GetInfo asks the node who it is.
func (c *Client) GetInfo(ctx context.Context) (Info, error) {
	var v Info
	return v, c.Call(ctx, "getinfo", nil, &v)
}

// Offer is a row of listoffers.
type Offer struct {
	ID          string `json:"offer_id"`
	Bolt12      string
	Active      bool
	Used        bool
	Description string
}

// MakeOffer makes an offer for any amount. The same description gives the same offer again, as long as that is active.
// Its paths begin at fronts, if any are given.
func (c *Client) MakeOffer(ctx context.Context, description string, fronts ...string) (Offer, error) {
	var v Offer
	params := map[string]any{"amount": "any", "description": description}
	if len(fronts) > 0 {
		params["fronting_nodes"] = fronts
	}
	return v, c.Call(ctx, "offer", params, &v)
}

// ListOffers lists the node's offers, all of them.
func (c *Client) ListOffers(ctx context.Context) ([]Offer, error) {
	var v struct{ Offers []Offer }
	return v.Offers, c.Call(ctx, "listoffers", nil, &v)
}

// DisableOffer and EnableOffer switch an offer off and on.
func (c *Client) DisableOffer(ctx context.Context, id string) error {
	return c.Call(ctx, "disableoffer", map[string]any{"offer_id": id}, nil)
}

// EnableOffer switches an offer on that was disabled.
func (c *Client) EnableOffer(ctx context.Context, id string) error {
	return c.Call(ctx, "enableoffer", map[string]any{"offer_id": id}, nil)
}

// FetchInvoice asks the node behind an offer for an invoice. The same metadata, amount and note give the same invoice.
func (c *Client) FetchInvoice(ctx context.Context, offer string, amount Msat, note, metadata string, timeout time.Duration) (string, error) {
	var v struct{ Invoice string }
	return v.Invoice, c.Call(ctx, "fetchinvoice", map[string]any{
		"offer": offer, "amount_msat": amount, "payer_note": note, "payer_metadata": metadata, "timeout": seconds(timeout),
	}, &v)
}

// FetchBIP353 finds the offer behind a BIP 353 name, user@domain, in the DNS.
func (c *Client) FetchBIP353(ctx context.Context, name string) (offer string, err error) {
	var v struct{ Instructions []struct{ Offer string } }
	if err := c.Call(ctx, "fetchbip353", map[string]any{"address": name}, &v); err != nil {
		return "", err
	}
	for _, i := range v.Instructions {
		if i.Offer != "" {
			return i.Offer, nil
		}
	}
	return "", &Error{Method: "fetchbip353", Code: CodeParams, Message: "the name has no offer"}
}

// Decoded is what decode says of an offer or of an invoice of either kind.
type Decoded struct {
	Type  string
	Valid bool

	OfferID          string      `json:"offer_id"`
	OfferDescription string      `json:"offer_description"`
	OfferIssuerID    string      `json:"offer_issuer_id"`
	OfferAmount      Msat        `json:"offer_amount_msat"`
	OfferExpiry      Time        `json:"offer_absolute_expiry"`
	OfferPaths       []OfferPath `json:"offer_paths"`

	RequestMetadata string `json:"invreq_metadata"`
	RequestAmount   Msat   `json:"invreq_amount_msat"`
	PayerNote       string `json:"invreq_payer_note"`
	InvoiceCreated  Time   `json:"invoice_created_at"`
	InvoiceExpiry   int64  `json:"invoice_relative_expiry"` // seconds
	InvoiceHash     string `json:"invoice_payment_hash"`
	InvoiceAmount   Msat   `json:"invoice_amount_msat"`
	InvoiceNodeID   string `json:"invoice_node_id"`

	Payee           string // BOLT11 from here on
	CreatedAt       Time   `json:"created_at"`
	Expiry          int64  // seconds
	PaymentHash     string `json:"payment_hash"`
	AmountMsat      Msat   `json:"amount_msat"`
	Description     string
	DescriptionHash string `json:"description_hash"`
}

// OfferPath is a blinded path to the node behind an offer.
type OfferPath struct {
	FirstNodeID string `json:"first_node_id"` // the node that knows the way; empty if a channel of its stands for it
}

// Decode lets the node read an offer or an invoice. The signature was checked if Valid is true.
func (c *Client) Decode(ctx context.Context, text string) (Decoded, error) {
	var v Decoded
	return v, c.Call(ctx, "decode", map[string]any{"string": text}, &v)
}

// Pay is a row of listpays.
type Pay struct {
	PaymentHash string `json:"payment_hash"`
	Status      string // pending, complete, failed
	AmountMsat  Msat   `json:"amount_msat"` // missing in a failed row
	SentMsat    Msat   `json:"amount_sent_msat"`
	CreatedAt   Time   `json:"created_at"`
	CompletedAt Time   `json:"completed_at"`
}

// ListPays lists every attempt to pay a payment hash.
func (c *Client) ListPays(ctx context.Context, paymentHash string) ([]Pay, error) {
	var v struct{ Pays []Pay }
	return v.Pays, c.Call(ctx, "listpays", map[string]any{"payment_hash": paymentHash}, &v)
}

// Invoice is a row of listinvoices, and what waitanyinvoice returns.
type Invoice struct {
	Label        string
	Bolt11       string
	Bolt12       string
	PaymentHash  string `json:"payment_hash"`
	Status       string // unpaid, paid, expired
	AmountMsat   Msat   `json:"amount_msat"`
	Description  string
	ExpiresAt    Time   `json:"expires_at"`
	OfferID      string `json:"local_offer_id"`
	PayerNote    string `json:"invreq_payer_note"`
	CreatedIndex uint64 `json:"created_index"`
	PayIndex     uint64 `json:"pay_index"`
	ReceivedMsat Msat   `json:"amount_received_msat"`
	PaidAt       Time   `json:"paid_at"`
}

// WaitAnyInvoice waits for the first invoice that is paid after a pay_index. After timeout it fails with
// [CodeWaitTimeout]; a timeout of 0 does not wait.
func (c *Client) WaitAnyInvoice(ctx context.Context, after uint64, timeout time.Duration) (Invoice, error) {
	s := int64(0)
	if timeout > 0 {
		s = seconds(timeout)
	}
	var v Invoice
	return v, c.Call(ctx, "waitanyinvoice", map[string]any{"lastpay_index": after, "timeout": s}, &v)
}

// InvoiceByLabel finds one invoice; ok is false if there is none.
func (c *Client) InvoiceByLabel(ctx context.Context, label string) (inv Invoice, ok bool, err error) {
	var v struct{ Invoices []Invoice }
	if err := c.Call(ctx, "listinvoices", map[string]any{"label": label}, &v); err != nil || len(v.Invoices) == 0 {
		return Invoice{}, false, err
	}
	return v.Invoices[0], true, nil
}

// InvoiceByHash does so by payment hash.
func (c *Client) InvoiceByHash(ctx context.Context, hash string) (inv Invoice, ok bool, err error) {
	var v struct{ Invoices []Invoice }
	if err := c.Call(ctx, "listinvoices", map[string]any{"payment_hash": hash}, &v); err != nil || len(v.Invoices) == 0 {
		return Invoice{}, false, err
	}
	return v.Invoices[0], true, nil
}

// ListInvoices lists some invoices in the order in which they were made, from a created_index on. All of them at once
// would keep the node from anything else for a second.
func (c *Client) ListInvoices(ctx context.Context, from uint64, limit int) ([]Invoice, error) {
	var v struct{ Invoices []Invoice }
	return v.Invoices, c.Call(ctx, "listinvoices", map[string]any{"index": "created", "start": from, "limit": limit}, &v)
}

// MakeInvoice makes a BOLT11 invoice. A label that is taken is [CodeLabelTaken]. A description that is a JSON array, the
// metadata of LUD-06, goes into the invoice as its hash.
func (c *Client) MakeInvoice(ctx context.Context, label string, amount Msat, description string, expiry time.Duration) (bolt11 string, err error) {
	var v struct{ Bolt11 string }
	params := map[string]any{"label": label, "amount_msat": amount, "description": description, "expiry": seconds(expiry)}
	if strings.HasPrefix(description, "[") {
		params["deschashonly"] = true
	}
	return v.Bolt11, c.Call(ctx, "invoice", params, &v)
}

// DeleteInvoice deletes an invoice that has the status: [CodeNoInvoice] if there is none, [CodeInvoiceStatus] if it has
// another.
func (c *Client) DeleteInvoice(ctx context.Context, label, status string) error {
	return c.Call(ctx, "delinvoice", map[string]any{"label": label, "status": status}, nil)
}

// Channel is a row of listpeerchannels.
type Channel struct {
	PeerID         string `json:"peer_id"`
	Connected      bool   `json:"peer_connected"`
	State          string // CHANNELD_NORMAL is the one in use
	SpendableMsat  Msat   `json:"spendable_msat"`
	ReceivableMsat Msat   `json:"receivable_msat"`
}

// ListChannels lists the node's channels.
func (c *Client) ListChannels(ctx context.Context) ([]Channel, error) {
	var v struct{ Channels []Channel }
	return v.Channels, c.Call(ctx, "listpeerchannels", nil, &v)
}
