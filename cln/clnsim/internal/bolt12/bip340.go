package bolt12

import (
	"crypto/sha256"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
)

// signBIP340 makes a Schnorr signature of a 32-byte digest as BIP 340 has it, with no auxiliary randomness: the same
// digest and key always give the same signature, which is what makes a repeated request get the same invoice.
func signBIP340(key *btcec.PrivateKey, digest []byte) [64]byte {
	sig, err := schnorr.Sign(key, digest, schnorr.CustomNonce([32]byte{}))
	if err != nil {
		panic(err) // a digest of another length than 32 bytes, or a key that is zero: ours are neither
	}
	return [64]byte(sig.Serialize())
}

// verifyBIP340 checks such a signature; x is the public key without its sign byte.
func verifyBIP340(x, digest, sig []byte) bool {
	pub, err := schnorr.ParsePubKey(x)
	if err != nil {
		return false
	}
	parsed, err := schnorr.ParseSignature(sig)
	return err == nil && parsed.Verify(digest, pub)
}

// tagged is BIP 340's tagged hash.
func tagged(tag, msg []byte) [32]byte {
	t := sha256.Sum256(tag)
	h := sha256.New()
	h.Write(t[:])
	h.Write(t[:])
	h.Write(msg)
	return [32]byte(h.Sum(nil))
}
