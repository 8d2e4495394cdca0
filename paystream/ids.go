package paystream

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/el-tor/tops/policies"
)

// Preimage is the payer's secret: who shows it may end the pay stream.
type Preimage [32]byte

// PaymentIDHash is SHA-256 of the preimage: all that a relay ever learns of a
// payer, and a bearer secret between the two. It has no String method on
// purpose, so that it reaches a log only by somebody's clear intention; name a
// pay stream by its [Handle].
type PaymentIDHash [32]byte

// Handle is a pay stream's public name in logs, events, books and commands: 16
// lower-case hex digits from which the hash cannot be computed.
type Handle string

// RoundID is the note of a payment: 64 lower-case hex digits.
type RoundID string

// NewPreimage draws the secret of a new pay stream.
func NewPreimage() Preimage {
	var p Preimage
	rand.Read(p[:]) // never fails: see crypto/rand
	return p
}

// Hash is what the relay is told.
func (p Preimage) Hash() PaymentIDHash { return sha256.Sum256(p[:]) }

// Hex writes the preimage for the wire or the journal.
func (p Preimage) Hex() string { return hex.EncodeToString(p[:]) }

// Hex writes the hash for the wire or the journal.
func (h PaymentIDHash) Hex() string { return hex.EncodeToString(h[:]) }

// Handle names the pay stream without giving the hash away.
func (h PaymentIDHash) Handle() Handle {
	sum := sha256.Sum256(append([]byte("tops/1 handle"), h[:]...))
	return Handle(hex.EncodeToString(sum[:8]))
}

// RoundID is the note of round r under terms: HMAC-SHA-256 with the hash as
// key. Both ends can compute it; nobody else can link two of them. Round 0 is
// the opening fee.
func (h PaymentIDHash) RoundID(terms policies.TermsHash, r int) RoundID {
	sum := h.round(terms, r)
	return RoundID(hex.EncodeToString(sum[:]))
}

func (h PaymentIDHash) round(terms policies.TermsHash, r int) (sum [32]byte) {
	mac := hmac.New(sha256.New, h[:])
	mac.Write([]byte("tops/1 round"))
	mac.Write(terms[:])
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(r))
	mac.Write(n[:])
	mac.Sum(sum[:0])
	return sum
}

// RoundIDs lists the notes of a pay stream, index 0 the opening fee's. It is
// one source of them; El Tor's wire brings a list of its own.
func RoundIDs(h PaymentIDHash, terms policies.Terms) []RoundID {
	th := terms.Hash()
	ids := make([]RoundID, terms.Rounds+1)
	for r := range ids {
		ids[r] = h.RoundID(th, r)
	}
	return ids
}

// ParsePaymentIDHash reads 64 lower-case hex digits.
func ParsePaymentIDHash(s string) (h PaymentIDHash, err error) {
	err = parseHex("payment_id_hash", s, h[:])
	return h, err
}

// ParsePreimage reads 64 lower-case hex digits.
func ParsePreimage(s string) (p Preimage, err error) {
	err = parseHex("preimage", s, p[:])
	return p, err
}

// ParseRoundID checks that s is a note: 64 lower-case hex digits.
func ParseRoundID(s string) (RoundID, error) {
	var b [32]byte
	return RoundID(s), parseHex("round id", s, b[:])
}

// ParseHandle checks that s is a handle: 16 lower-case hex digits.
func ParseHandle(s string) (Handle, error) {
	var b [8]byte
	return Handle(s), parseHex("handle", s, b[:])
}

// parseHex does not repeat its input: it may be a secret.
func parseHex(what, s string, into []byte) error {
	if len(s) != 2*len(into) || strings.Trim(s, "0123456789abcdef") != "" {
		return fmt.Errorf("%s is not %d lower-case hex digits", what, 2*len(into))
	}
	_, err := hex.Decode(into, []byte(s))
	return err
}
