// Package bolt12 writes and reads the messages of BOLT 12: offers (lno), invoice requests (lnr) and invoices (lni).
//
// All three are one thing, a stream of TLV records in ascending order, written in bech32's alphabet without a checksum.
// An invoice request repeats the records of its offer and adds its own; an invoice repeats those of its request. So the
// package has no struct per message, only [Stream] and the record numbers:
//
//	offer := bolt12.Stream{}.Set(bolt12.OfferDescription, []byte("bandwidth")).Set(bolt12.OfferIssuerID, nodeID)
//	text := bolt12.Encode(bolt12.Offer, offer)
//	id := offer.OfferID()
//
// A message is signed over the root of a Merkle tree of its records (BIP 340, tagged hashes), so that a reader can be
// shown some of them without the rest. [Sign] adds the signature, [Verify] checks it.
package bolt12
