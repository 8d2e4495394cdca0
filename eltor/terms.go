package eltor

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/el-tor/tops/policies"
)

// What El Tor's relays do not publish, and every one of them goes by.
const (
	defaultInterval = time.Minute
	publishedGrace  = 15 * time.Second
)

// ErrFree is returned for a relay that asks for nothing. It is a hop like any
// other; it is told ids too, and nobody pays them.
var ErrFree = errors.New("the relay asks for no payment")

// NoGateway stands where terms name a gateway: on this carrier there is none.
var NoGateway = netip.MustParseAddrPort("0.0.0.0:1")

// Terms makes terms of this carrier of what a relay asks: no free rounds, no
// limit of bytes, the last round no dearer, one payment a round, since each of
// the ids is waited for by itself, ten rounds at most.
func Terms(t policies.Terms) policies.Terms {
	t.FinalMsat, t.FreeRounds, t.Prepay = t.RateMsat, 0, 1
	t.Rounds = min(t.Rounds, Rounds)
	t.FreeBytes, t.RoundBytes = 1<<40, 1<<40
	t.Gateway = NoGateway
	return t
}

// PublishedGrace is the grace that payers take for granted.
func PublishedGrace(interval time.Duration) time.Duration { return min(publishedGrace, interval) }

// ParseDescriptor reads what a relay asks from the Payment… lines of its server
// descriptor. A line that is not there is as good as 0. No rate means [ErrFree],
// whatever else is there; no interval means a minute, no number of rounds ten, and
// more than ten are ten, since the wire carries no more ids. What is negative, no
// number, or beyond what terms may ask makes the relay unusable.
func ParseDescriptor(text, fingerprint string) (policies.Terms, error) {
	lines, err := paymentLines(text)
	if err != nil {
		return policies.Terms{}, err
	}
	var n [4]int64
	for i, key := range []string{rateLine, intervalLine, roundsLine, feeLine} {
		if n[i], err = number(key, lines[key]); err != nil {
			return policies.Terms{}, err
		}
	}
	t := policies.Terms{Relay: fingerprint, RateMsat: n[0], Interval: defaultInterval, Rounds: Rounds, FeeMsat: n[3]}
	switch {
	case t.RateMsat == 0 && t.FeeMsat == 0:
		return policies.Terms{}, ErrFree
	case t.RateMsat == 0:
		return policies.Terms{}, fmt.Errorf("%s without %s: such a relay cannot be paid by rounds", feeLine, rateLine)
	}
	if n[1] > 0 {
		t.Interval = time.Duration(min(n[1], 1<<32)) * time.Second
	}
	if n[2] > 0 {
		t.Rounds = int(min(n[2], Rounds))
	}
	t.Grace = PublishedGrace(t.Interval)
	if t.Descriptor, err = descriptor(lines); err != nil {
		return policies.Terms{}, err
	}
	t = Terms(t)
	if err := t.Validate(); err != nil {
		return policies.Terms{}, err
	}
	return t, nil
}

// The lines that are read. PaymentInvervalRounds is spelt as El Tor spells it.
// PaymentBandwidthQuota is not among them: nobody there counts bytes.
const (
	rateLine     = "PaymentRateMsats"
	intervalLine = "PaymentInterval"
	roundsLine   = "PaymentInvervalRounds"
	feeLine      = "PaymentHandshakeFee"
	offerLine    = "PaymentBolt12Offer"
	bip353Line   = "PaymentBip353"
	addressLine  = "PaymentBolt11LightningAddress"
	lnurlLine    = "PaymentBolt11Lnurl"
)

// paymentLines collects the Payment… lines of a descriptor.
func paymentLines(text string) (map[string]string, error) {
	lines := make(map[string]string)
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		if !strings.HasPrefix(key, "Payment") {
			continue
		}
		if _, twice := lines[key]; twice {
			return nil, fmt.Errorf("%s stands twice in the descriptor", clip(key))
		}
		lines[key] = value
	}
	return lines, nil
}

// number reads an amount or a count; one that is not there is 0.
func number(key, s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || s[0] == '+' {
		return 0, fmt.Errorf("%s %q is no number", key, clip(s))
	}
	if n < 0 {
		return 0, fmt.Errorf("%s %d is negative", key, n)
	}
	return n, nil
}

// descriptor picks where the relay is paid: its offer, which alone El Tor's own
// daemon can pay, else its other names.
func descriptor(lines map[string]string) (policies.Descriptor, error) {
	for _, d := range []policies.Descriptor{
		{Kind: policies.Offer, Value: lines[offerLine]},
		{Kind: policies.BIP353, Value: strings.TrimPrefix(lines[bip353Line], "₿")},
		{Kind: policies.LightningAddress, Value: lines[addressLine]},
	} {
		if d.Value != "" {
			return d, nil
		}
	}
	if lines[lnurlLine] != "" {
		return policies.Descriptor{}, fmt.Errorf("the relay names an LNURL alone, which takes no note of a round")
	}
	return policies.Descriptor{}, errors.New("the relay asks for money, and does not say where it is to be paid")
}

// clip shortens what a stranger wrote for an error.
func clip(s string) string {
	if len(s) > 32 {
		return s[:32] + "…"
	}
	return s
}
