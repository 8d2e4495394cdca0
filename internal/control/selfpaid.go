package control

import (
	"context"
	"errors"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/client"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/proxy"
)

// ExtendSelfPaidCircuit builds a circuit that the controller pays itself
// (tops-control-spec §3.1, El Tor's form). On stock tor the exit alone enforces
// anything, so its pay stream is the one that is opened; what was brought for the
// relays before it is checked and goes no further.
func (e *Engine) ExtendSelfPaidCircuit(ctx context.Context, c proxy.Controller, hops []controlspec.PaidHop) (string, error) {
	if e.Native != nil {
		return e.extendNative(ctx, hops)
	}
	if e.Client == nil {
		return "", controlspec.Errorf(551, "This tops makes no circuits: its configuration has no [client] table; on El Tor's tor a \"tops proxy\" makes those that the controller pays")
	}
	path := make([]string, len(hops))
	var exit client.SelfPaid
	for i, h := range hops {
		path[i] = h.Fingerprint
		var err error
		if exit.Preimage, err = preimage(h, i+1); err != nil {
			return "", err
		}
	}
	handle := exit.Preimage.Hash().Handle()
	switch _, err := e.Books.PayStream(ctx, handle); {
	case err == nil:
		return "", controlspec.Errorf(551, "Pay stream %s was begun before: every pay stream needs a fresh payment id hash", handle)
	case !errors.Is(err, ledger.ErrNoPayStream):
		return "", err
	}
	for _, id := range hops[len(hops)-1].RoundIDs {
		exit.RoundIDs = append(exit.RoundIDs, paystream.RoundID(id))
	}
	id, err := e.Client.ExtendSelfPaid(ctx, c.Account(), path, exit)
	if err != nil {
		return "", refusal(err)
	}
	return id, nil
}

// preimage reads the secret that a controller brought for a hop. One that does
// not fit the hash could never end its pay stream.
func preimage(h controlspec.PaidHop, n int) (paystream.Preimage, error) {
	p, err := paystream.ParsePreimage(h.Preimage)
	if err == nil && p.Hash().Hex() == h.PaymentIDHash {
		return p, nil
	}
	return p, controlspec.Errorf(512, "Hop %d: the payment id hash is not the SHA-256 of the preimage", n)
}
