package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// terms reads what a relay asks; paid is false for one that asks nothing.
func (n *native) terms(ctx context.Context, fingerprint string) (t policies.Terms, paid bool, err error) {
	text, err := n.c.tor.Descriptor(ctx, fingerprint)
	switch {
	case errors.Is(err, tor.ErrNoDescriptor):
		if _, unknown := n.c.tor.RelayAddress(ctx, fingerprint); errors.Is(unknown, tor.ErrNoRelay) {
			err = unknown
		}
		return t, false, unusable(err)
	case err != nil:
		return t, false, err
	}
	t, err = eltor.ParseDescriptor(text, fingerprint)
	switch {
	case errors.Is(err, eltor.ErrFree):
		return t, false, nil
	case err != nil:
		return t, false, unusable(fmt.Errorf("terms of relay %s: %w", fingerprint, err))
	}
	return t, true, nil
}

// affordable refuses terms that nobody could be paid by, and a circuit for whose
// first hour the budget has no room.
func (n *native) affordable(ctx context.Context, controller string, all []policies.Terms) error {
	if len(all) == 0 {
		return nil
	}
	if n.c.cfg.Able != nil {
		if err := n.c.cfg.Able(); err != nil {
			return &paystream.Refusal{Reason: paystream.ReasonWallet, Err: err}
		}
	}
	var need int64
	for _, t := range all {
		if n.c.cfg.Payable != nil {
			if err := n.c.cfg.Payable(ctx, t.Descriptor); errors.Is(err, paystream.ErrRefused) {
				return unusable(fmt.Errorf("relay %s cannot be paid by what its descriptor names: %w", t.Relay, err))
			}
		}
		need += max(firstHour(t), t.RateMsat+n.c.policy.RoutingCapMsat(t.RateMsat))
	}
	if err := n.c.budget.room(n.c.cfg.Now(), controller, need); err != nil {
		return &paystream.Refusal{Reason: paystream.ReasonBudget, Err: err}
	}
	return nil
}
