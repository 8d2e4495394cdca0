// Package bech32 is the part of BIP 173 that Lightning's text formats share: the alphabet, and for BOLT11 the
// checksum. BOLT12 uses the alphabet alone, which is why the usual libraries, which always add a checksum, do not do.
package bech32

import (
	"errors"
	"fmt"
	"strings"
)

const alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// digits maps a lower-case character to its five bits, or 0xff.
var digits = func() (t [128]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range []byte(alphabet) {
		t[c] = byte(i)
	}
	return t
}()

// Digits returns the five-bit values of s. Upper case is accepted, mixed case is not.
func Digits(s string) ([]byte, error) {
	if s != strings.ToLower(s) && s != strings.ToUpper(s) {
		return nil, errors.New("mixed case")
	}
	out := make([]byte, len(s))
	for i := range len(s) {
		c := s[i] | letter(s[i])
		if c >= 128 || digits[c] == 0xff {
			return nil, fmt.Errorf("character %q is not bech32", s[i])
		}
		out[i] = digits[c]
	}
	return out, nil
}

// letter is 0x20 for an upper-case letter, so that only letters are folded.
func letter(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return 0x20
	}
	return 0
}

// Text writes five-bit values in the alphabet.
func Text(d []byte) string {
	out := make([]byte, len(d))
	for i, v := range d {
		out[i] = alphabet[v&31]
	}
	return string(out)
}

// FromBytes regroups bytes into five-bit values, padding the last with zero bits.
func FromBytes(b []byte) []byte {
	out := make([]byte, 0, (len(b)*8+4)/5)
	var acc uint32
	var bits uint
	for _, v := range b {
		acc = acc<<8 | uint32(v)
		bits += 8
		for bits >= 5 {
			bits -= 5
			out = append(out, byte(acc>>bits)&31)
		}
	}
	if bits > 0 {
		out = append(out, byte(acc<<(5-bits))&31)
	}
	return out
}

// ToBytes is the reverse. What is left over must be fewer than five bits, all zero.
func ToBytes(d []byte) ([]byte, error) {
	out := make([]byte, 0, len(d)*5/8)
	var acc uint32
	var bits uint
	for _, v := range d {
		acc = acc<<5 | uint32(v&31)
		bits += 5
		if bits >= 8 {
			bits -= 8
			out = append(out, byte(acc>>bits))
		}
	}
	if bits >= 5 || acc&(1<<bits-1) != 0 {
		return nil, errors.New("padding is not zero")
	}
	return out, nil
}

// Encode writes hrp, the separator, the values and the BIP 173 checksum.
func Encode(hrp string, d []byte) string {
	sum := polymod(append(append(expand(hrp), d...), 0, 0, 0, 0, 0, 0)) ^ 1
	tail := make([]byte, 6)
	for i := range tail {
		tail[i] = byte(sum>>(5*(5-i))) & 31
	}
	return hrp + "1" + Text(d) + Text(tail)
}

// Decode checks the checksum and returns the prefix and the values without it. Unlike BIP 173 it sets no limit on the
// length, as BOLT11 asks.
func Decode(s string) (hrp string, d []byte, err error) {
	if s == strings.ToUpper(s) {
		s = strings.ToLower(s)
	}
	i := strings.LastIndexByte(s, '1')
	if i < 1 || len(s)-i-1 < 6 {
		return "", nil, errors.New("not a bech32 string")
	}
	hrp = s[:i]
	if hrp != strings.ToLower(hrp) {
		return "", nil, errors.New("mixed case")
	}
	if d, err = Digits(s[i+1:]); err != nil {
		return "", nil, err
	}
	if polymod(append(expand(hrp), d...)) != 1 {
		return "", nil, errors.New("wrong checksum")
	}
	return hrp, d[:len(d)-6], nil
}

func expand(hrp string) []byte {
	out := make([]byte, 0, 2*len(hrp)+1)
	for i := range len(hrp) {
		out = append(out, hrp[i]>>5)
	}
	out = append(out, 0)
	for i := range len(hrp) {
		out = append(out, hrp[i]&31)
	}
	return out
}

func polymod(values []byte) uint32 {
	gen := [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3}
	chk := uint32(1)
	for _, v := range values {
		top := chk >> 25
		chk = chk&0x1ffffff<<5 ^ uint32(v)
		for i, g := range gen {
			if top>>i&1 == 1 {
				chk ^= g
			}
		}
	}
	return chk
}
