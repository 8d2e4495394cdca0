package clnsim

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
)

func newPreimage() (preimage, hash []byte) {
	preimage = make([]byte, 32)
	rand.Read(preimage) // never fails
	h := sha256.Sum256(preimage)
	return preimage, h[:]
}

// blindedPath is a path of one hop, from a node that knows the way, that looks right: nobody routes by it.
func (n *node) blindedPath(first, hash []byte) []byte {
	point := func(s string) []byte {
		return n.w.deriveKey("path", s, hex.EncodeToString(hash)).PubKey().SerializeCompressed()
	}
	b := append(slices.Clone(first), point("key")...)
	b = append(b, 1)
	b = append(b, point("hop")...)
	secret := append(n.w.derive("hop data", hex.EncodeToString(hash)), n.w.derive("more", hex.EncodeToString(hash))[:18]...)
	b = append(b, 0, byte(len(secret)))
	return append(b, secret...)
}

// payInfo is what the path costs: nothing, and ten blocks.
func payInfo() []byte {
	b := make([]byte, 28)
	b[9] = 10                                                  // cltv_expiry_delta
	copy(b[18:26], []byte{0x1d, 0x24, 0xb2, 0xdf, 0xac, 0x52}) // htlc_maximum_msat: 21 million bitcoin
	return b
}

// payerKey is the key that an invoice request is signed with. It hangs on the metadata alone, so that the same
// payer_metadata is the same payer.
func (n *node) payerKey(metadata []byte) *btcec.PrivateKey {
	return n.w.deriveKey("payer", n.name, hex.EncodeToString(metadata))
}
