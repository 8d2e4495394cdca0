package bolt12

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
)

// The first of BIP 340's own test vectors.
func TestBIP340(t *testing.T) {
	const want = "E907831F80848D1069A5371B402410364BDF1C5F8307B0084C55F1CE2DCA821525F66A4A85EA8B71E482A74F382D2CE5EBEEE8FDB2172F477DF4900D310536C0"
	secret := make([]byte, 32)
	secret[31] = 3
	key, pub := btcec.PrivKeyFromBytes(secret)
	digest := make([]byte, 32)
	sig := signBIP340(key, digest)
	if got := strings.ToUpper(hex.EncodeToString(sig[:])); got != want {
		t.Errorf("signature\n%s, want\n%s", got, want)
	}
	x := pub.SerializeCompressed()[1:]
	if !verifyBIP340(x, digest, sig[:]) {
		t.Error("does not verify")
	}
	for i := range sig {
		bad := sig
		bad[i] ^= 1
		if verifyBIP340(x, digest, bad[:]) {
			t.Errorf("verifies with byte %d changed", i)
		}
	}
}
