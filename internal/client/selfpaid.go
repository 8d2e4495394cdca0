package client

import (
	"context"
	"fmt"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// SelfPaid is what a controller brings for a circuit whose exit it pays itself:
// the secret of the pay stream and the notes of its rounds.
type SelfPaid struct {
	Preimage paystream.Preimage
	RoundIDs []paystream.RoundID
}

// fits refuses terms with another number of rounds than there are ids.
func (s *SelfPaid) fits(t policies.Terms) error {
	if len(s.RoundIDs) != t.Rounds {
		return unusable(fmt.Errorf("relay %s asks for pay streams of %d rounds, and the controller brought %d round ids", t.Relay, t.Rounds, len(s.RoundIDs)))
	}
	return nil
}

// ExtendSelfPaid builds a circuit along path whose exit the controller pays. The
// pay stream is opened and followed as any other, and nothing is ever paid for it:
// neither after a restart nor by a continuation.
func (c *Client) ExtendSelfPaid(ctx context.Context, controller string, path []string, self SelfPaid) (id string, err error) {
	p, err := c.extend(ctx, controller, path, &self)
	if err != nil {
		return "", err
	}
	p.want()
	return p.tor().ID, nil
}
