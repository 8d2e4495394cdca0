package eltor

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// Rounds is how many round ids the wire carries for each hop: always so many.
const Rounds = controlspec.PaidRounds

// payloadSize is the length of a payload: a hash, a preimage and the ids, 64 hex
// digits each.
const payloadSize = 64 * (2 + Rounds)

// Payload is what one relay of a circuit is told in the handshake. All of it is
// secret, although the relay before it can read it: see docs/el-tor.md.
type Payload struct {
	Hash     paystream.PaymentIDHash // named handshake payment hash there
	Preimage paystream.Preimage
	RoundIDs []paystream.RoundID // of rounds 1 to 10
}

// ErrPreimage is returned for a payload whose preimage does not fit its hash.
var ErrPreimage = errors.New("the handshake hash is not the SHA-256 of the preimage")

// NewPayload draws one: every id by chance, so that nothing links them.
func NewPayload() Payload {
	p := Payload{Preimage: paystream.NewPreimage()}
	p.Hash = p.Preimage.Hash()
	for range Rounds {
		var id [32]byte
		rand.Read(id[:]) // never fails: see crypto/rand
		p.RoundIDs = append(p.RoundIDs, paystream.RoundID(hex.EncodeToString(id[:])))
	}
	return p
}

// String is the payload as the wire has it.
func (p Payload) String() string {
	var b strings.Builder
	b.WriteString(p.Hash.Hex() + p.Preimage.Hex())
	for _, id := range p.RoundIDs {
		b.WriteString(string(id))
	}
	return b.String()
}

// ParsePayload reads exactly 768 lower-case hex digits with distinct ids. An
// error holds nothing of what it read.
func ParsePayload(s string) (p Payload, err error) {
	if len(s) != payloadSize {
		return p, fmt.Errorf("the payload has %d characters, not %d", len(s), payloadSize)
	}
	if p.Hash, err = paystream.ParsePaymentIDHash(s[:64]); err != nil {
		return p, err
	}
	if p.Preimage, err = paystream.ParsePreimage(s[64:128]); err != nil {
		return p, err
	}
	seen := make(map[paystream.RoundID]bool, Rounds)
	for at := 128; at < payloadSize; at += 64 {
		id, err := paystream.ParseRoundID(s[at : at+64])
		if err != nil {
			return p, err
		}
		if seen[id] {
			return p, errors.New("a round id stands twice in the payload")
		}
		seen[id] = true
		p.RoundIDs = append(p.RoundIDs, id)
	}
	return p, nil
}

// Verify checks that the preimage fits the hash.
func (p Payload) Verify() error {
	if p.Preimage.Hash() != p.Hash {
		return ErrPreimage
	}
	return nil
}

// Intent is the payload as the engine takes it under terms, which name the first
// of the ten ids, or all of them.
func (p Payload) Intent(t policies.Terms) paystream.Intent {
	return paystream.Intent{Hash: p.Hash, TermsHash: t.Hash(), RoundIDs: p.RoundIDs[:min(t.Rounds, Rounds)]}
}
