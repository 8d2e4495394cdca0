// Package bolt11 writes and reads the older form of a Lightning invoice, BOLT 11, as far as `invoice` makes them: an
// amount, a description or its hash, an expiry, a payment secret and the node's recoverable signature.
package bolt11

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"

	"github.com/el-tor/tops/cln/clnsim/internal/bech32"
)

// Invoice is what a BOLT 11 invoice says.
type Invoice struct {
	Currency        string // "bc", "bcrt"
	AmountMsat      int64  // 0: the payer chooses
	CreatedAt       time.Time
	Expiry          time.Duration
	PaymentHash     [32]byte
	PaymentSecret   [32]byte
	Description     string
	DescriptionHash []byte // 32 bytes, instead of a description
	FinalCLTV       int64
	Payee           []byte // compressed public key, recovered from the signature
	Signature       []byte
}

// The tagged fields, and what the specification takes for granted when one is missing.
const (
	tagPaymentHash     = 1
	tagFeatures        = 5
	tagExpiry          = 6
	tagDescription     = 13
	tagPaymentSecret   = 16
	tagDescriptionHash = 23
	tagFinalCLTV       = 24

	defaultExpiry    = time.Hour
	defaultFinalCLTV = 18
	maxExpiry        = 100 * 365 * 24 * time.Hour
)

// features are var_onion_optin (9) and payment_secret (15), both compulsory: bits 8 and 14.
var features = []byte{16, 8, 0}

// Encode writes the invoice and signs it.
func Encode(inv Invoice, key *btcec.PrivateKey) string {
	d := number(uint64(inv.CreatedAt.Unix()), 7)
	d = field(d, tagPaymentSecret, bech32.FromBytes(inv.PaymentSecret[:]))
	d = field(d, tagPaymentHash, bech32.FromBytes(inv.PaymentHash[:]))
	if inv.DescriptionHash != nil {
		d = field(d, tagDescriptionHash, bech32.FromBytes(inv.DescriptionHash))
	} else {
		d = field(d, tagDescription, bech32.FromBytes([]byte(inv.Description)))
	}
	d = field(d, tagExpiry, number(uint64(inv.Expiry/time.Second), 0))
	d = field(d, tagFinalCLTV, number(uint64(inv.FinalCLTV), 0))
	d = field(d, tagFeatures, features)
	hrp := "ln" + inv.Currency + amountText(inv.AmountMsat)
	sig := ecdsa.SignCompact(key, digest(hrp, d), true)
	sig = append(sig[1:], (sig[0]-27)&3)
	return bech32.Encode(hrp, append(d, bech32.FromBytes(sig)...))
}

// Decode reads an invoice and checks its signature.
func Decode(text string) (Invoice, error) {
	hrp, d, err := bech32.Decode(text)
	if err != nil {
		return Invoice{}, err
	}
	const sigLen = 104
	if len(d) < 7+sigLen {
		return Invoice{}, errors.New("too short")
	}
	body, tail := d[:len(d)-sigLen], d[len(d)-sigLen:]
	inv := Invoice{Expiry: defaultExpiry, FinalCLTV: defaultFinalCLTV, CreatedAt: time.Unix(int64(value(body[:7])), 0)}
	if inv.Currency, inv.AmountMsat, err = parsePrefix(hrp); err != nil {
		return Invoice{}, err
	}
	if err := inv.readFields(body[7:]); err != nil {
		return Invoice{}, err
	}
	sig, err := bech32.ToBytes(tail)
	if err != nil {
		return Invoice{}, err
	}
	if sig[64] > 3 {
		return Invoice{}, errors.New("wrong recovery id")
	}
	pub, _, err := ecdsa.RecoverCompact(append([]byte{27 + 4 + sig[64]}, sig[:64]...), digest(hrp, body))
	if err != nil {
		return Invoice{}, errors.New("wrong signature")
	}
	inv.Payee, inv.Signature = pub.SerializeCompressed(), sig[:64]
	return inv, nil
}

func (inv *Invoice) readFields(d []byte) error {
	seen := map[byte]bool{}
	for len(d) > 0 {
		if len(d) < 3 || len(d) < 3+int(value(d[1:3])) {
			return errors.New("a field is cut short")
		}
		tag, v := d[0], d[3:3+value(d[1:3])]
		d = d[3+len(v):]
		if seen[tag] {
			continue
		}
		if err := inv.readField(tag, v); err != nil {
			return fmt.Errorf("field %d: %w", tag, err)
		}
		seen[tag] = true
	}
	switch {
	case !seen[tagPaymentHash]:
		return errors.New("no payment hash")
	case !seen[tagPaymentSecret]:
		return errors.New("no payment secret")
	case seen[tagDescription] == seen[tagDescriptionHash]:
		return errors.New("a description or its hash, not both")
	}
	return nil
}

func (inv *Invoice) readField(tag byte, v []byte) error {
	switch tag {
	case tagPaymentHash, tagPaymentSecret, tagDescriptionHash:
		b, err := bech32.ToBytes(v)
		if err != nil {
			return err
		}
		if len(b) != 32 {
			return errors.New("not 32 bytes")
		}
		switch tag {
		case tagPaymentHash:
			inv.PaymentHash = [32]byte(b)
		case tagPaymentSecret:
			inv.PaymentSecret = [32]byte(b)
		default:
			inv.DescriptionHash = b
		}
	case tagDescription:
		b, err := bech32.ToBytes(v)
		if err != nil {
			return err
		}
		inv.Description = string(b)
	case tagExpiry, tagFinalCLTV:
		if len(v) > 12 {
			return errors.New("too large")
		}
		if tag == tagFinalCLTV {
			inv.FinalCLTV = int64(value(v))
			return nil
		}
		inv.Expiry = maxExpiry
		if n := value(v); n < uint64(maxExpiry/time.Second) {
			inv.Expiry = time.Duration(n) * time.Second
		}
	}
	return nil
}

// digest is what the node signs: the prefix as text, the data as bytes with zeros for padding.
func digest(hrp string, d []byte) []byte {
	b := []byte(hrp)
	var acc uint32
	var bits uint
	for _, v := range d {
		acc = acc<<5 | uint32(v)
		bits += 5
		if bits >= 8 {
			bits -= 8
			b = append(b, byte(acc>>bits))
		}
	}
	if bits > 0 {
		b = append(b, byte(acc<<(8-bits)))
	}
	h := sha256.Sum256(b)
	return h[:]
}

// The units of an amount, in tenths of a millisatoshi.
var units = []struct {
	suffix string
	tenths int64
}{{"", 1_000_000_000_000}, {"m", 1_000_000_000}, {"u", 1_000_000}, {"n", 1_000}, {"p", 1}}

func amountText(msat int64) string {
	if msat == 0 {
		return ""
	}
	for _, u := range units {
		if msat*10%u.tenths == 0 {
			return strconv.FormatInt(msat*10/u.tenths, 10) + u.suffix
		}
	}
	panic("unreachable: every amount is a number of tenths")
}

func parsePrefix(hrp string) (currency string, msat int64, err error) {
	rest, ok := strings.CutPrefix(hrp, "ln")
	i := strings.IndexAny(rest, "0123456789")
	if i < 0 {
		i = len(rest)
	}
	currency, amount := rest[:i], rest[i:]
	if !ok || currency == "" {
		return "", 0, fmt.Errorf("unexpected prefix %s", hrp)
	}
	if amount == "" {
		return currency, 0, nil
	}
	for _, u := range units[1:] {
		if n, ok := strings.CutSuffix(amount, u.suffix); ok {
			msat, err = scale(n, u.tenths)
			return currency, msat, err
		}
	}
	msat, err = scale(amount, units[0].tenths)
	return currency, msat, err
}

func scale(text string, tenths int64) (int64, error) {
	n, err := strconv.ParseUint(text, 10, 40)
	if err != nil || text[0] == '0' || int64(n) > (1<<62)/tenths || int64(n)*tenths%10 != 0 {
		return 0, fmt.Errorf("amount %q", text)
	}
	return int64(n) * tenths / 10, nil
}

// field appends a tag, its length and its value.
func field(d []byte, tag byte, v []byte) []byte {
	return append(append(append(d, tag), number(uint64(len(v)), 2)...), v...)
}

// number writes n in five-bit values, the most significant first, in at least width of them.
func number(n uint64, width int) []byte {
	var out []byte
	for ; n > 0 || len(out) < width; n >>= 5 {
		out = append([]byte{byte(n & 31)}, out...)
	}
	return out
}

func value(d []byte) uint64 {
	var n uint64
	for _, v := range d {
		n = n<<5 | uint64(v)
	}
	return n
}
