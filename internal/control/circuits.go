package control

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/proxy"
)

// CircuitTerms are the terms of a paid circuit, for USEFEATURE PAYMENT_TERMS.
func (e *Engine) CircuitTerms(circID string) []proxy.HopTerms {
	if e.Client == nil {
		return nil
	}
	var hops []proxy.HopTerms
	for _, h := range e.Client.PaidHops(circID) {
		hops = append(hops, proxy.HopTerms{Hop: h.Hop, Terms: h.Terms.String()})
	}
	return hops
}

// CheckAttach refuses a stream that the exit of a paid circuit would refuse: tor
// would hold that against the relay until it restarts. An exit for everybody is
// left to tor.
func (e *Engine) CheckAttach(_, circID string, _ int) error {
	if e.Client == nil {
		return nil
	}
	if _, _, exit, ok := e.Client.PaidCircuit(circID); ok && !exit {
		return controlspec.Errorf(551, "The exit of paid circuit %s takes streams to its gateway only: use the tops SOCKS port, user name circ=%s", circID, circID)
	}
	return nil
}

// relays lists fingerprint and terms of the relays that can be paid.
func (e *Engine) relays(ctx context.Context) (string, error) {
	if e.Client == nil {
		return "", errNoClient
	}
	list, err := e.Client.Relays(ctx)
	var lines []string
	for _, t := range list {
		lines = append(lines, t.Relay+" "+t.String())
	}
	return strings.Join(lines, "\n"), err
}

// wallet says how the Lightning node is.
func (e *Engine) wallet(ctx context.Context) (string, error) {
	h, err := e.Wallet(ctx)
	var said *controlspec.ReplyError
	switch {
	case errors.As(err, &said):
		return "", err
	case err != nil:
		return "REACHABLE=0", nil
	}
	return fmt.Sprintf("REACHABLE=1 CHANNELS=%d SPENDABLE_MSAT=%d RECEIVABLE_MSAT=%d", h.Channels, h.SpendableMsat, h.ReceivableMsat), nil
}
