package policies

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Kind says how a relay wants to be found for payment: which of the three
// descriptor words its terms carry.
type Kind string

// The three descriptors that terms may carry, by the word that carries them.
const (
	Offer            Kind = "topsoffer"   // a BOLT12 offer
	BIP353           Kind = "topsbip353"  // a BIP353 name, user@domain
	LightningAddress Kind = "topsaddress" // a LUD-16 address, user@domain
)

// Descriptor is where a relay's payments go.
type Descriptor struct {
	Kind  Kind
	Value string
}

// Terms is what a relay asks for carrying traffic: version 1 of the pay stream
// protocol. The zero value is not usable; start from [DefaultTerms].
type Terms struct {
	Relay      string        // fingerprint of the relay's identity key, 40 upper-case hex digits
	Descriptor Descriptor    // where payments go
	RateMsat   int64         // price of a round, msat
	Interval   time.Duration // length of a round, whole seconds
	Rounds     int           // rounds of a pay stream
	FreeRounds int           // the first of them that cost nothing
	FreeBytes  int64         // bytes tunnelled before anything is credited
	RoundBytes int64         // bytes that each credited round adds
	FinalMsat  int64         // price of the last round, msat
	FeeMsat    int64         // the most that may be asked for opening, msat
	Grace      time.Duration // how late a payment may be, whole seconds
	Prepay     int           // rounds that may be paid at once
	Gateway    netip.AddrPort
}

// TermsHash is the SHA-256 of the canonical line.
type TermsHash [sha256.Size]byte

// String gives the hash as lower-case hex.
func (h TermsHash) String() string { return hex.EncodeToString(h[:]) }

// ParseTermsHash reads 64 lower-case hex digits.
func ParseTermsHash(s string) (TermsHash, error) {
	var h TermsHash
	if len(s) != 2*len(h) || strings.ToLower(s) != s {
		return h, fmt.Errorf("terms hash is not %d lower-case hex digits", 2*len(h))
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return h, fmt.Errorf("terms hash is not hex: %w", err)
	}
	return h, nil
}

// DefaultTerms returns the terms of the specification for a relay: one sat a
// minute, the first minute free, ten rounds, two sat for the last.
func DefaultTerms(relay string, d Descriptor, gateway netip.AddrPort) Terms {
	return Terms{
		Relay: relay, Descriptor: d, Gateway: gateway,
		RateMsat: 1000, Interval: time.Minute, Rounds: 10, FreeRounds: 1,
		FreeBytes: 1 << 20, RoundBytes: 256 << 20,
		FinalMsat: 2000, FeeMsat: 0, Grace: 15 * time.Second, Prepay: 10,
	}
}

// String writes the terms in canonical form: one line of words, single spaces,
// fixed order, no newline.
func (t Terms) String() string {
	var b strings.Builder
	b.WriteString("tops:1")
	for _, w := range words {
		if v, ok := w.get(t); ok {
			b.WriteString(" " + w.name + ":" + v)
		}
	}
	return b.String()
}

// Hash is the SHA-256 of the canonical line; both ends agree on it before a
// msat moves.
func (t Terms) Hash() TermsHash { return sha256.Sum256([]byte(t.String())) }

// Schedule gives the price of each round under these terms.
func (t Terms) Schedule() Schedule {
	return Schedule{rateMsat: t.RateMsat, finalMsat: t.FinalMsat, rounds: t.Rounds, free: t.FreeRounds}
}

// Duration is how long a pay stream under these terms lasts when every round
// is served.
func (t Terms) Duration() time.Duration { return time.Duration(t.Rounds) * t.Interval }

// Due returns when round r is due, counted from the pay stream's start.
func (t Terms) Due(r int) time.Duration { return time.Duration(r) * t.Interval }

// AllowanceBytes is the cumulative limit of tunnelled bytes of a pay stream of
// which paid priced rounds are covered by the balance. Nothing credited means
// the free bytes alone. A continued pay stream counts as credited from its
// start, its free rounds included, since the one before it was paid in full.
func (t Terms) AllowanceBytes(credited, continued bool, paid int) int64 {
	switch {
	case continued:
		return t.FreeBytes + t.RoundBytes*int64(t.FreeRounds+paid+1)
	case credited:
		return t.FreeBytes + t.RoundBytes*int64(paid+1)
	default:
		return t.FreeBytes
	}
}
