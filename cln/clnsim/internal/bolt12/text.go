package bolt12

import (
	"errors"
	"fmt"
	"strings"

	"github.com/el-tor/tops/cln/clnsim/internal/bech32"
)

// The prefixes of the three messages.
const (
	Offer          = "lno"
	InvoiceRequest = "lnr"
	Invoice        = "lni"
)

// Encode writes a message as text.
func Encode(prefix string, s Stream) string {
	return prefix + "1" + bech32.Text(bech32.FromBytes(s.Bytes()))
}

// Decode reads a message in text. A "+" with white space after it joins the parts of a long one.
func Decode(text string) (prefix string, s Stream, err error) {
	text, err = join(text)
	if err != nil {
		return "", nil, err
	}
	prefix, data, ok := strings.Cut(text, "1")
	prefix = strings.ToLower(prefix)
	if !ok || prefix != Offer && prefix != InvoiceRequest && prefix != Invoice {
		return prefix, nil, fmt.Errorf("unexpected prefix %s", prefix)
	}
	digits, err := bech32.Digits(data)
	if err != nil {
		return prefix, nil, err
	}
	b, err := bech32.ToBytes(digits)
	if err != nil {
		return prefix, nil, err
	}
	if s, err = Parse(b); err != nil {
		return prefix, nil, err
	}
	if len(s) == 0 {
		return prefix, nil, errors.New("no records")
	}
	if prefix == Offer && len(s.OfferPart()) != len(s) {
		return prefix, nil, errors.New("an offer with other records than an offer's")
	}
	return prefix, s, nil
}

func join(text string) (string, error) {
	parts := strings.Split(text, "+")
	for i, p := range parts {
		if i > 0 {
			p = strings.TrimLeft(p, " \t\r\n")
		}
		if p == "" {
			return "", errors.New("empty part")
		}
		parts[i] = p
	}
	return strings.Join(parts, ""), nil
}
