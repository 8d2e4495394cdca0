package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/doctor"
	"github.com/el-tor/tops/internal/relay"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/policies"
)

// RelayOptions say what a relay is made of.
type RelayOptions struct {
	File       string   // tops.toml, to be written; what it has already is kept
	Set        []string // key=value, over what the file has
	Group      string   // may read the file, besides its owner; empty: nobody
	AddAddress bool     // give lo the relay's public address if no interface has it
	DryRun     bool     // change nothing, anywhere
}

// RelayPlan is what a relay would be, and what becomes of tor when it runs.
type RelayPlan struct {
	File     string           `json:"file"`
	Exists   bool             `json:"exists"` // the file, before
	Text     string           `json:"text"`   // of the file, after
	Group    string           `json:"group,omitempty"`
	Written  bool             `json:"written"`
	Findings []doctor.Finding `json:"findings"`

	Relay   string       `json:"relay"` // fingerprint
	WasExit bool         `json:"was_exit"`
	Gateway string       `json:"gateway"`
	Terms   string       `json:"terms"` // canonical, with the offer
	Offer   *Offer       `json:"offer,omitempty"`
	Address string       `json:"added_address,omitempty"` // that was given to lo
	Options []tor.Change `json:"tor_options"`             // old value, new value

	Schedule policies.Schedule `json:"-"`
	Config   *config.Config    `json:"-"`
}

// Offer is what payers will ask invoices of.
type Offer struct {
	ID     string `json:"offer_id"`
	Bolt12 string `json:"bolt12"`
	Made   bool   `json:"made"` // just now
	doctor.Revealed
}

// noOffer stands for an offer that is not made in a dry run.
const noOffer = "lno1…"

// ErrNotReady means that there is nothing to plan with: the findings say why.
var ErrNotReady = errors.New("tor, as a relay, and the Lightning node have to answer first")

// Load is the configuration that a relay would have, with what is wrong with it:
// it may lack lightning.rpc still. The text is the file's, empty if it is not there.
func (o RelayOptions) Load() (l *config.Loaded, exists bool, err error) {
	text, err := os.ReadFile(o.File)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, err
	}
	exists = err == nil
	if l, err = config.New(string(text), []string{"relay"}, o.Set); err != nil {
		err = fmt.Errorf("%s: %w", o.File, err)
	}
	return l, exists, err
}

// PlanRelay looks at everything and says what would be. With ErrNotReady the plan
// has findings, and no more.
func PlanRelay(ctx context.Context, o RelayOptions) (p *RelayPlan, err error) {
	l, exists, err := o.Load()
	if err != nil {
		return nil, err
	}
	p = &RelayPlan{File: o.File, Group: o.Group, Exists: exists, Config: l.Config}
	var text strings.Builder
	if err := config.WriteChosen(&text, l.Config, head); err != nil {
		return nil, err
	}
	p.Text = text.String()

	c := doctor.Open(ctx, l.Config)
	defer func() { c.Close() }()
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Drop(ctx))
		}
	}()
	if c.TorErr == nil && c.RelayErr == nil && !c.Relay.Here && o.AddAddress && !o.DryRun {
		if err := addAddress(l.DataDir, c.Relay.Addr); err != nil {
			return p, err
		}
		p.Address = c.Relay.Addr.String()
		c.Close()
		c = doctor.Open(ctx, l.Config)
	}
	c.Planned = true
	p.Findings = doctor.Examine(ctx, c)
	if c.TorErr != nil || c.RelayErr != nil || c.NodeErr != nil {
		return p, ErrNotReady
	}
	return p, p.plan(ctx, c, o.DryRun)
}

const head = "tops.toml, written by `tops relay init`. What is not here has its default: `tops config example` shows every key, `tops config show` what holds."

func (p *RelayPlan) plan(ctx context.Context, c *doctor.Case, dry bool) error {
	cfg := c.Config.Relay
	terms := c.Relay.Terms(cfg)
	p.Relay, p.WasExit, p.Gateway = terms.Relay, c.Relay.WasExit, terms.Gateway.String()
	p.Schedule = terms.Schedule()
	var err error
	if p.Offer, err = makeOffer(ctx, c.Node, relay.OfferDescription(terms), cfg.FrontingNodes, dry); err != nil {
		return err
	}
	terms.Descriptor = relay.Descriptor(cfg, p.Offer.Bolt12)
	if terms.Descriptor.Value != noOffer {
		if err := terms.Validate(); err != nil {
			return fmt.Errorf("these terms cannot be offered: %w", err)
		}
	}
	p.Terms = terms.String()
	p.Options, err = c.Tor.Preview(ctx, c.Saved, relay.Options(terms, c.Relay)...)
	return err
}

// makeOffer makes the offer with a description, or finds it.
func makeOffer(ctx context.Context, node *cln.Client, description string, fronts []string, dry bool) (*Offer, error) {
	receiver := cln.NewReceiver(node, cln.ReceiverOptions{FrontingNodes: fronts})
	all, err := receiver.Offers(ctx, description)
	if err != nil {
		return nil, err
	}
	made := true
	for _, o := range all {
		made = made && !(o.Description == description && o.Active)
	}
	if made && dry {
		return &Offer{Bolt12: noOffer}, nil
	}
	o, err := receiver.Offer(ctx, description)
	if err != nil {
		return nil, fmt.Errorf("make an offer: %w", err)
	}
	out := &Offer{ID: o.ID, Bolt12: o.Bolt12, Made: made}
	out.Revealed, err = doctor.Reveals(ctx, node, o.Bolt12)
	return out, err
}

// Drop takes back what planning did: the offer, and the address on lo.
func (p *RelayPlan) Drop(ctx context.Context) error {
	var errs []error
	if p.Offer != nil && p.Offer.Made {
		node := cln.NewClient(p.Config.Lightning.RPC)
		defer node.Close()
		errs = append(errs, node.DisableOffer(ctx, p.Offer.ID))
		p.Offer.Made = false
	}
	if p.Address != "" {
		_, err := removeAddress(p.Config.DataDir)
		errs = append(errs, err)
		p.Address = ""
	}
	return errors.Join(errs...)
}
