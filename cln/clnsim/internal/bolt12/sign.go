package bolt12

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
)

// OfferID is the name that Core Lightning gives to an offer: the hash of its records, which an invoice for it repeats.
func (s Stream) OfferID() [32]byte { return sha256.Sum256(s.OfferPart().Bytes()) }

// Sign returns the stream with its signature. The name is that of the message in the specification: "invoice_request"
// or "invoice".
func Sign(name string, s Stream, key *btcec.PrivateKey) Stream {
	sig := signBIP340(key, digest(name, s))
	return s.Set(Signature, sig[:])
}

// Verify reports whether the stream carries a signature by the compressed public key.
func Verify(name string, s Stream, pub []byte) bool {
	sig, _ := s.Get(Signature)
	return len(pub) == 33 && verifyBIP340(pub[1:], digest(name, s), sig)
}

func digest(name string, s Stream) []byte {
	r := root(s.Unsigned())
	d := tagged([]byte("lightning"+name+"signature"), r[:])
	return d[:]
}

// root is BOLT 12's tree: each record is paired with a nonce that depends on the first record, so that a reader who is
// shown a hash instead of a record cannot guess the record; then pairs are joined, the lesser first, the odd one last.
func root(s Stream) [32]byte {
	if len(s) == 0 {
		return [32]byte{}
	}
	nonce := append([]byte("LnNonce"), s[0].bytes()...)
	level := make([][32]byte, len(s))
	for i, r := range s {
		level[i] = branch(tagged([]byte("LnLeaf"), r.bytes()), tagged(nonce, appendBigsize(nil, r.Type)))
	}
	for len(level) > 1 {
		next := level[:0:0]
		for pair := range slices.Chunk(level, 2) {
			if len(pair) == 1 {
				next = append(next, pair[0])
				continue
			}
			next = append(next, branch(pair[0], pair[1]))
		}
		level = next
	}
	return level[0]
}

func branch(a, b [32]byte) [32]byte {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	return tagged([]byte("LnBranch"), append(a[:], b[:]...))
}
