package bech32_test

import (
	"bytes"
	"testing"

	"github.com/el-tor/tops/cln/clnsim/internal/bech32"
)

func TestRoundTrip(t *testing.T) {
	for n := range 40 {
		b := bytes.Repeat([]byte{0xa5}, n)
		text := bech32.Encode("lnbcrt", bech32.FromBytes(b))
		hrp, d, err := bech32.Decode(text)
		if err != nil || hrp != "lnbcrt" {
			t.Fatalf("%q: %q, %v", text, hrp, err)
		}
		if got, err := bech32.ToBytes(d); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%d bytes came back as %x, %v", n, got, err)
		}
	}
}

// From the lists of BIP 173.
func TestDecode(t *testing.T) {
	for _, s := range []string{"A12UEL5L", "a12uel5l", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw"} {
		if _, _, err := bech32.Decode(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{"", "pzry9x0s0muk", "1pzry9x0s0muk", "x1b4n0q5v", "li1dgmt3", "A1G7SGD8", "10a06t8", "1qzzfhee"} {
		if hrp, d, err := bech32.Decode(s); err == nil {
			t.Errorf("%q: read as %q %v", s, hrp, d)
		}
	}
}
