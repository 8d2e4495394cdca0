package doctor

import (
	"context"
	"errors"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/relay"
	"github.com/el-tor/tops/internal/statefile"
	"github.com/el-tor/tops/internal/tor"
)

// askFor bounds the first question to each of tor, the node and tops.
const askFor = 10 * time.Second

// Case is a tops to be looked at. What could not be reached is nil, and the error
// beside it says why.
type Case struct {
	Config *config.Config

	// Planned is a configuration that is not in use yet.
	Planned bool

	Tor    *tor.Client
	TorErr error

	Fork    eltor.Fork // what tor is, with Tor there
	ForkErr error

	Relay    relay.Identity // of a relay, with its tor there
	RelayErr error

	Node    *cln.Client // with a role
	Health  cln.Health
	NodeErr error

	Status    app.Status // of a tops that runs with this configuration
	StatusErr error

	Saved tor.SettingsState // tor's options that tops has set, as a relay
}

// Open reaches for everything that the configuration names. Close it.
func Open(ctx context.Context, cfg *config.Config) *Case {
	c := &Case{Config: cfg}
	ask, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	c.openTor(ask)
	if cfg.Relay != nil && c.TorErr == nil {
		if err := statefile.Load(app.RelayStateFile(cfg), &c.Saved); err != nil {
			c.RelayErr = err
		} else {
			c.Relay, c.RelayErr = relay.Identify(ask, c.Tor, cfg.Relay, c.Saved)
		}
	}
	if c.role() {
		c.Node = cln.NewClient(cfg.Lightning.RPC)
		c.Health, c.NodeErr = c.Node.Health(ask)
	}
	c.Status, c.StatusErr = app.AskStatus(ask, cfg)
	return c
}

func (c *Case) openTor(ctx context.Context) {
	options, err := app.TorOptions(c.Config)
	if err != nil {
		c.TorErr = err
		return
	}
	if c.Tor, err = tor.Start(ctx, tor.Config{Options: options}); err != nil {
		c.Tor, c.TorErr = nil, err
		return
	}
	c.Fork, c.ForkErr = eltor.Probe(ctx, c.Tor)
}

// Close lets go of tor and of the node.
func (c *Case) Close() error {
	var errs []error
	if c.Tor != nil {
		errs = append(errs, c.Tor.Close())
	}
	if c.Node != nil {
		errs = append(errs, c.Node.Close())
	}
	return errors.Join(errs...)
}

func (c *Case) role() bool { return c.Config.Client != nil || c.Config.Relay != nil }

// hasGateway reports whether there is a relay to look at that has a gateway, and exit
// rules of ours: on El Tor's tor it has none.
func (c *Case) hasGateway() bool { return c.isRelay() && !c.Fork.Is() }

// isRelay reports whether there is a relay to look at.
func (c *Case) isRelay() bool { return c.Config.Relay != nil && c.Tor != nil && c.RelayErr == nil }

func (c *Case) hasNode() bool { return c.Node != nil && c.NodeErr == nil }

// runs reports whether tops runs with this configuration, which a planned one can
// not have yet.
func (c *Case) runs() bool { return c.StatusErr == nil && !c.Planned }
