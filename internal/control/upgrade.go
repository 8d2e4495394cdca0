package control

import (
	"context"
	"errors"
	"strings"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/policies"
	"github.com/el-tor/tops/proxy"
)

// Upgrade makes a paid circuit of a plain EXTENDCIRCUIT 0 (tops-control-spec
// §3.7). What cannot be paid is tor's: a path that tor is to choose or to refuse,
// a purpose of its own, a last relay that asks for nothing.
func (e *Engine) Upgrade(ctx context.Context, c proxy.Controller, path []string, purpose string) (circID string, upgraded bool, err error) {
	general := purpose == "" || strings.EqualFold(purpose, "general")
	if e.Client == nil || !general || len(path) < controlspec.MinPaidHops || len(path) > controlspec.MaxPaidHops {
		return "", false, nil
	}
	relays := make([]string, len(path))
	for i, name := range path {
		if relays[i], err = e.Client.Fingerprint(ctx, name); errors.Is(err, tor.ErrNoRelay) {
			return "", false, nil
		} else if err != nil {
			return "", false, err
		}
	}
	id, err := e.Client.ExtendPaidCircuit(ctx, c.Account(), relays)
	switch {
	case errors.Is(err, policies.ErrNoTerms), errors.Is(err, tor.ErrNoRelay):
		return "", false, nil
	case err != nil:
		return "", false, refusal(err)
	}
	return id, true, nil
}
