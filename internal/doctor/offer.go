package doctor

import (
	"context"
	"fmt"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/internal/relay"
	"github.com/el-tor/tops/policies"
)

// offer finds the relay's offer for its terms; ok is false if there is none yet.
func (c *Case) offer(ctx context.Context) (o cln.Offer, ok bool, err error) {
	want := relay.OfferDescription(c.Relay.Terms(c.Config.Relay))
	all, err := cln.NewReceiver(c.Node, cln.ReceiverOptions{}).Offers(ctx, want)
	if err != nil {
		return o, false, err
	}
	for _, o := range all {
		if o.Description == want && (!ok || o.Active) {
			return o, true, nil
		}
	}
	return o, false, nil
}

// terms are the relay's, whole, as far as they are known without making an offer.
func (c *Case) terms(ctx context.Context) (policies.Terms, error) {
	t := c.Relay.Terms(c.Config.Relay)
	if d := relay.Descriptor(c.Config.Relay, ""); d.Kind != policies.Offer {
		t.Descriptor = d
		return t, nil
	}
	o, found, err := c.offer(ctx)
	if err == nil && !found {
		err = fmt.Errorf("there is no offer for these terms yet")
	}
	t.Descriptor = relay.Descriptor(c.Config.Relay, o.Bolt12)
	return t, err
}

// lookAtOffer: can anybody ask for an invoice, and what does the offer tell him?
func lookAtOffer(ctx context.Context, c *Case) []Finding {
	if !c.hasNode() || !c.isRelay() {
		return nil
	}
	o, found, err := c.offer(ctx)
	switch {
	case err != nil:
		return problem("see lightningd's log", "%v", err)
	case !found && c.runs():
		return problem("restart tops, which makes it", "the node has no offer for the terms of this configuration: it was changed, or the offer was lost")
	case !found:
		return ok("none for these terms yet: tops makes it when it starts")
	case !o.Active && c.runs():
		return problem("lightning-cli enableoffer "+o.ID, "the offer %s is disabled: nobody can pay", short(o.ID, 16))
	case !o.Active:
		return ok("%s is disabled, and is switched on when tops starts", short(o.ID, 16))
	}
	r, err := Reveals(ctx, c.Node, o.Bolt12)
	if err != nil {
		return unchecked("what the offer reveals: %v", err)
	}
	return ok("%s is active; %s", short(o.ID, 16), r)
}

// Revealed is what an offer tells everybody about the node behind it.
type Revealed struct {
	NodeID string   `json:"node_id,omitempty"` // in clear; empty if only blinded paths lead to the node
	Fronts []string `json:"fronts,omitempty"`  // where the blinded paths begin
}

// Reveals has the node read an offer.
func Reveals(ctx context.Context, node *cln.Client, offer string) (r Revealed, err error) {
	info, err := node.GetInfo(ctx)
	if err != nil {
		return r, err
	}
	var v struct {
		Issuer string `json:"offer_issuer_id"`
		Paths  []struct {
			First string `json:"first_node_id"`
			SCID  string `json:"first_scid"`
		} `json:"offer_paths"`
	}
	if err := node.Call(ctx, "decode", map[string]any{"string": offer}, &v); err != nil {
		return r, err
	}
	for _, p := range v.Paths {
		if p.First == "" {
			p.First = p.SCID
		}
		r.Fronts = append(r.Fronts, p.First)
	}
	// With paths the issuer may be a key made for the offer.
	if v.Issuer == info.ID || len(v.Paths) == 0 {
		r.NodeID = v.Issuer
	}
	return r, nil
}

func (r Revealed) String() string {
	switch {
	case len(r.Fronts) == 0:
		return fmt.Sprintf("it names the node, %s, in clear: who reads the relay's descriptor knows which Lightning node is behind it", short(r.NodeID, 16))
	case r.NodeID != "":
		return fmt.Sprintf("it names the node, %s, in clear, and %s to it", short(r.NodeID, 16), count(len(r.Fronts), "blinded path"))
	}
	return fmt.Sprintf("it hides the node behind %s, beginning at %s", count(len(r.Fronts), "blinded path"), short(r.Fronts[0], 16))
}
