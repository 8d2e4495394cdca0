package clnsim

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/el-tor/tops/cln/clnsim/internal/bolt12"
)

// shown are the records that decode shows, each by its name and kind.
var shown = []struct {
	record uint64
	name   string
	kind   string
}{
	{bolt12.OfferMetadata, "offer_metadata", "hex"},
	{bolt12.OfferCurrency, "offer_currency", "text"},
	{bolt12.OfferAmount, "offer_amount_msat", "number"},
	{bolt12.OfferDescription, "offer_description", "text"},
	{bolt12.OfferFeatures, "offer_features", "hex"},
	{bolt12.OfferExpiry, "offer_absolute_expiry", "number"},
	{bolt12.OfferIssuer, "offer_issuer", "text"},
	{bolt12.OfferQuantityMax, "offer_quantity_max", "number"},
	{bolt12.OfferIssuerID, "offer_issuer_id", "hex"},
	{bolt12.InvreqMetadata, "invreq_metadata", "hex"},
	{bolt12.InvreqPayerID, "invreq_payer_id", "hex"},
	{bolt12.InvreqChain, "invreq_chain", "hex"},
	{bolt12.InvreqAmount, "invreq_amount_msat", "number"},
	{bolt12.InvreqFeatures, "invreq_features", "hex"},
	{bolt12.InvreqQuantity, "invreq_quantity", "number"},
	{bolt12.InvreqPayerNote, "invreq_payer_note", "text"},
	{bolt12.InvoiceCreatedAt, "invoice_created_at", "number"},
	{bolt12.InvoicePaymentHash, "invoice_payment_hash", "hex"},
	{bolt12.InvoiceAmount, "invoice_amount_msat", "number"},
	{bolt12.InvoiceFeatures, "invoice_features", "hex"},
	{bolt12.InvoiceNodeID, "invoice_node_id", "hex"},
	{bolt12.Signature, "signature", "hex"},
}

// decodeBolt12 shows a BOLT 12 message as decode does. One whose signature is wrong is not valid.
func decodeBolt12(prefix string, s bolt12.Stream) map[string]any {
	m := map[string]any{}
	for _, f := range shown {
		v, ok := s.Get(f.record)
		if !ok {
			continue
		}
		switch f.kind {
		case "number":
			if n, ok := s.Uint(f.record); ok {
				m[f.name] = n
			}
		case "text":
			m[f.name] = string(v)
		default:
			m[f.name] = hex.EncodeToString(v)
		}
	}
	if chains, ok := s.Get(bolt12.OfferChains); ok {
		m["offer_chains"] = hexList(chains, 32)
	}
	if p, ok := s.Get(bolt12.OfferPaths); ok {
		if path, ok := decodePath(p); ok {
			m["offer_paths"] = []any{path}
		}
	}
	if len(s.OfferPart()) > 0 {
		id := s.OfferID()
		m["offer_id"] = hex.EncodeToString(id[:])
	}
	switch prefix {
	case bolt12.Offer:
		m["type"] = "bolt12 offer"
		_, hasIssuer := s.Get(bolt12.OfferIssuerID)
		_, hasPaths := s.Get(bolt12.OfferPaths)
		m["valid"] = hasIssuer || hasPaths
	case bolt12.InvoiceRequest:
		m["type"] = "bolt12 invoice_request"
		payer, _ := s.Get(bolt12.InvreqPayerID)
		m["valid"] = bolt12.Verify("invoice_request", s, payer)
	case bolt12.Invoice:
		m["type"] = "bolt12 invoice"
		decodeInvoice(s, m)
	}
	return m
}

func decodeInvoice(s bolt12.Stream, m map[string]any) {
	expiry, ok := s.Uint(bolt12.InvoiceExpiry)
	if !ok {
		expiry = defaultInvoiceExpiry
	}
	m["invoice_relative_expiry"] = expiry
	id, _ := s.Get(bolt12.InvoiceNodeID)
	paths, pathsOK := decodePaths(s)
	m["valid"] = pathsOK && bolt12.Verify("invoice", s, id)
	if m["valid"] == true {
		m["invoice_paths"] = paths
		return
	}
	for _, f := range shown { // of an invalid one only the offer's and the request's part
		if f.record >= bolt12.InvoiceCreatedAt {
			delete(m, f.name)
		}
	}
	delete(m, "invoice_relative_expiry")
	m["warning_invalid_invoice_signature"] = "Bad signature"
}

// decodePaths reads the way to pay an invoice.
func decodePaths(s bolt12.Stream) ([]any, bool) {
	p, _ := s.Get(bolt12.InvoicePaths)
	info, _ := s.Get(bolt12.InvoicePayInfo)
	path, ok := decodePath(p)
	if !ok || len(info) != 28 {
		return nil, false
	}
	path["payinfo"] = map[string]any{
		"fee_base_msat": binary.BigEndian.Uint32(info), "fee_proportional_millionths": binary.BigEndian.Uint32(info[4:]),
		"cltv_expiry_delta": binary.BigEndian.Uint16(info[8:]), "htlc_minimum_msat": binary.BigEndian.Uint64(info[10:]),
		"htlc_maximum_msat": binary.BigEndian.Uint64(info[18:]), "features": "",
	}
	return []any{path}, true
}

// decodePath reads a blinded path of one hop, which is all that the simulator makes.
func decodePath(p []byte) (map[string]any, bool) {
	const fixed = 33 + 33 + 1 + 33 + 2
	if len(p) < fixed || p[66] != 1 || len(p) != fixed+int(binary.BigEndian.Uint16(p[100:])) {
		return nil, false
	}
	return map[string]any{
		"first_node_id": hex.EncodeToString(p[:33]), "first_path_key": hex.EncodeToString(p[33:66]),
		"path": []any{map[string]any{"blinded_node_id": hex.EncodeToString(p[67:100]), "encrypted_recipient_data": hex.EncodeToString(p[102:])}},
	}, true
}

func hexList(b []byte, size int) []string {
	out := []string{}
	for len(b) >= size {
		out = append(out, hex.EncodeToString(b[:size]))
		b = b[size:]
	}
	return out
}
