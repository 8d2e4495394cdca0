package clnsim

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/el-tor/tops/cln/clnsim/internal/bolt12"
)

// The other side takes one onion message per 250 ms from each peer, four at once, and says nothing of the rest.
const (
	onionEvery = 250 * time.Millisecond
	onionBurst = 4
)

// fetchRequest is what fetchinvoice is asked.
type fetchRequest struct {
	offer    string
	amount   uint64
	asked    bool // there is an amount
	note     string
	hasNote  bool
	metadata []byte // nil: drawn
	timeout  time.Duration
}

// fetch is fetchinvoice, on the payer's side.
func (n *node) fetch(ctx context.Context, r fetchRequest) (bolt12.Stream, error) {
	offer, err := parseOffer(r.offer)
	if err != nil {
		return nil, errorf(codeParams, "offer: Unparsable offer: %v: invalid token '\"%s\"'", err, r.offer)
	}
	if end, ok := offer.Uint(bolt12.OfferExpiry); ok && uint64(time.Now().Unix()) > end {
		return nil, errorf(codeOfferExpired, "Offer expired")
	}
	if _, fixed := offer.Uint(bolt12.OfferAmount); !fixed && !r.asked {
		return nil, errorf(codeParams, "amount_msat parameter required")
	}
	req := n.newRequest(offer, r)
	payee, f, err := n.reach(offer)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if payee == nil || !payee.lets(n) || n.w.chance(f.DropRate) {
		<-ctx.Done()
		return nil, errorf(codeFetchTimeout, "Timeout waiting for response")
	}
	if !sleep(ctx, f.FetchDelay) {
		return nil, errorf(codeFetchTimeout, "Timeout waiting for response")
	}
	invoice, refusal := payee.request(req)
	if refusal != "" {
		return nil, errorf(codeOfferRefused, "Remote node sent failure message").with(map[string]string{"error": refusal})
	}
	if !bytes.Equal(req.Unsigned().Bytes(), invoice.RequestPart().Bytes()) {
		return nil, errorf(codeOfferRefused, "Incorrect invoice_request match field in %q", hex.EncodeToString(invoice.Bytes()))
	}
	return invoice, nil
}

// newRequest writes and signs an invoice request.
func (n *node) newRequest(offer bolt12.Stream, r fetchRequest) bolt12.Stream {
	metadata := r.metadata
	if metadata == nil {
		metadata = make([]byte, 16)
		rand.Read(metadata)
	}
	key := n.payerKey(metadata)
	req := offer.Set(bolt12.InvreqMetadata, metadata).
		Set(bolt12.InvreqChain, regtest).
		Set(bolt12.InvreqFeatures, nil).
		Set(bolt12.InvreqPayerID, key.PubKey().SerializeCompressed())
	if r.asked {
		req = req.SetUint(bolt12.InvreqAmount, r.amount)
	}
	if r.hasNote {
		req = req.Set(bolt12.InvreqPayerNote, []byte(r.note))
	}
	return bolt12.Sign("invoice_request", req, key)
}

// reach finds the node behind an offer. A node that is there but several hops away and offline is nil: its messages go
// nowhere, and nobody says so.
func (n *node) reach(offer bolt12.Stream) (*node, Faults, error) {
	id, _ := offer.Get(bolt12.OfferIssuerID)
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	payee := n.w.byID[hex.EncodeToString(id)]
	cannot := func(why string) error {
		return errorf(codeNoRouteOffer, "Failed: could not route or connect directly to %x: %s", id, why)
	}
	switch {
	case payee == nil:
		return nil, n.faults, cannot(`{"code":400,"message":"Unable to connect, no address known for peer"}`)
	case !payee.offline && !n.offline:
		return payee, n.faults, nil
	case n.faults.Hops == 0 || n.offline:
		return nil, n.faults, cannot(`{"code":401,"message":"All addresses failed: 127.0.0.1:9735: Connection establishment: Connection refused. "}`)
	}
	return nil, n.faults, nil
}

// lets says whether the node takes one more onion message from a peer now.
func (n *node) lets(peer *node) bool {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	if n == peer || n.faults.UnlimitedOnion {
		return true
	}
	l := n.onion[peer]
	if l == nil {
		l = rate.NewLimiter(rate.Every(onionEvery), onionBurst)
		n.onion[peer] = l
	}
	return l.Allow()
}

func parseOffer(text string) (bolt12.Stream, error) {
	prefix, s, err := bolt12.Decode(text)
	switch {
	case err != nil && prefix == bolt12.Offer:
		return nil, fmt.Errorf("invalid offer data")
	case err != nil:
		return nil, err
	case prefix != bolt12.Offer:
		return nil, fmt.Errorf("unexpected prefix %s", prefix)
	}
	if chains, _ := s.Get(bolt12.OfferChains); len(chains)%32 != 0 || !containsChain(chains) {
		return nil, fmt.Errorf("wrong chain")
	}
	if id, _ := s.Get(bolt12.OfferIssuerID); len(id) != 33 {
		return nil, fmt.Errorf("invalid offer data")
	}
	return s, nil
}

func containsChain(chains []byte) bool {
	for len(chains) >= 32 {
		if bytes.Equal(chains[:32], regtest) {
			return true
		}
		chains = chains[32:]
	}
	return false
}
