package bolt12

import (
	"crypto/sha256"

	"github.com/btcsuite/btcd/btcec/v2"
)

// signBIP340 makes a Schnorr signature of a 32-byte digest as BIP 340 has it, with no auxiliary randomness: the same
// digest and key always give the same signature, which is what makes a repeated request get the same invoice.
//
// It is not constant-time. The keys here hold play money.
func signBIP340(key *btcec.PrivateKey, digest []byte) [64]byte {
	d := key.Key
	pub := key.PubKey().SerializeCompressed()
	if pub[0] == 3 {
		d.Negate()
	}
	seed := d.Bytes()
	mask := tagged([]byte("BIP0340/aux"), make([]byte, 32))
	for i := range seed {
		seed[i] ^= mask[i]
	}
	nonce := tagged([]byte("BIP0340/nonce"), concat(seed[:], pub[1:], digest))
	var k btcec.ModNScalar
	k.SetByteSlice(nonce[:])
	r := btcec.PrivKeyFromScalar(&k).PubKey().SerializeCompressed()
	if r[0] == 3 {
		k.Negate()
	}
	s := challenge(r[1:], pub[1:], digest)
	s.Mul(&d).Add(&k)

	var sig [64]byte
	copy(sig[:32], r[1:])
	s.PutBytesUnchecked(sig[32:])
	return sig
}

// verifyBIP340 checks such a signature; x is the public key without its sign byte.
func verifyBIP340(x, digest, sig []byte) bool {
	if len(sig) != 64 || len(x) != 32 {
		return false
	}
	pub, err := btcec.ParsePubKey(append([]byte{2}, x...))
	if err != nil {
		return false
	}
	var s btcec.ModNScalar
	if s.SetByteSlice(sig[32:]) {
		return false
	}
	e := challenge(sig[:32], x, digest)
	e.Negate()
	var p, sg, ep, r btcec.JacobianPoint
	pub.AsJacobian(&p)
	btcec.ScalarBaseMultNonConst(&s, &sg)
	btcec.ScalarMultNonConst(&e, &p, &ep)
	btcec.AddNonConst(&sg, &ep, &r)
	if r.X.IsZero() && r.Y.IsZero() || r.Z.IsZero() {
		return false
	}
	r.ToAffine()
	return !r.Y.IsOdd() && [32]byte(sig[:32]) == *r.X.Bytes()
}

func challenge(r, pub, digest []byte) btcec.ModNScalar {
	h := tagged([]byte("BIP0340/challenge"), concat(r, pub, digest))
	var e btcec.ModNScalar
	e.SetByteSlice(h[:])
	return e
}

func concat(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
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
