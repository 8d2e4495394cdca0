package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/internal/bus"
	"github.com/el-tor/tops/internal/client"
	"github.com/el-tor/tops/internal/clock"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/control"
	"github.com/el-tor/tops/internal/relay"
	"github.com/el-tor/tops/internal/socks"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
	"github.com/el-tor/tops/proxy"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
)

// Options are what main knows and a configuration does not.
type Options struct {
	Version string
	Log     zerolog.Logger
	// Ready, if set, is called when everything that was configured works.
	Ready func()
}

// App is a running tops.
type App struct {
	cfg    *config.Config
	log    zerolog.Logger
	clock  *clock.Clock
	books  *ledger.Ledger
	node   *cln.Client
	events bus.Bus[paystream.Event]
	client *client.Client
	relay  *relay.Relay
	engine *control.Engine
}

// Run runs what a configuration says until ctx ends, and then ends cleanly.
func Run(ctx context.Context, cfg *config.Config, o Options) (err error) {
	raiseFileLimit()
	a := &App{cfg: cfg, log: o.Log, clock: clock.New()}
	defer func() { err = errors.Join(err, a.close()) }()
	if err := a.open(ctx); err != nil {
		return err
	}
	a.engine = &control.Engine{Version: o.Version, Client: a.client, Books: a.books, Events: &a.events}
	if a.relay != nil {
		a.engine.Payee, a.engine.Relay = a.relay.Payee, a.relay.Terms()
	}
	defer a.logEvents()()

	g, gctx := errgroup.WithContext(ctx)
	if a.relay != nil {
		g.Go(func() error { return a.relay.Run(gctx) })
	}
	if a.client != nil {
		g.Go(func() error { return a.client.Run(gctx) })
		g.Go(func() error { return a.serveSOCKS(gctx) })
	}
	g.Go(func() error { return a.serveStatus(gctx) })
	for _, addr := range cfg.Proxy.Listen {
		ln, err := proxy.Listen(addr, proxy.ListenOptions{})
		if err != nil {
			return fmt.Errorf("proxy.listen: %w", err)
		}
		g.Go(func() error { return a.proxy().Serve(gctx, ln) })
	}
	a.log.Info().Bool("client", a.client != nil).Bool("relay", a.relay != nil).Strs("proxy", cfg.Proxy.Listen).Msg("running")
	if o.Ready != nil {
		o.Ready()
	}
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	a.log.Info().Msg("ended")
	return nil
}

// open opens the books and starts the roles.
func (a *App) open(ctx context.Context) (err error) {
	if err := os.MkdirAll(a.cfg.DataDir, 0o700); err != nil {
		return err
	}
	if a.cfg.Client != nil || a.cfg.Relay != nil {
		a.node = cln.NewClient(a.cfg.Lightning.RPC)
		if err := a.checkNode(ctx); err != nil {
			return err
		}
	}
	if a.books, err = ledger.Open(ctx, filepath.Join(a.cfg.DataDir, "ledger.db")); err != nil {
		return err
	}
	torOptions, err := TorOptions(a.cfg)
	if err != nil {
		return err
	}
	if a.cfg.Relay != nil {
		a.relay, err = relay.New(ctx, relay.Config{
			Relay: a.cfg.Relay, Tor: torOptions, Journal: a.books, StateFile: RelayStateFile(a.cfg),
			Node: payeeNode{cln.NewReceiver(a.node, cln.ReceiverOptions{Now: a.clock.Now, OnError: a.failed})},
			Now:  a.clock.Now, Emit: a.events.Publish, Failed: a.failed,
		})
		if err != nil {
			return fmt.Errorf("relay: %w", err)
		}
	}
	if a.cfg.Client == nil {
		return nil
	}
	spent, err := a.spent(ctx)
	if err != nil {
		return err
	}
	a.client, err = client.New(ctx, client.Config{
		Client: a.cfg.Client, Tor: torOptions, Journal: a.books, StateFile: filepath.Join(a.cfg.DataDir, "tor-client.json"),
		Wallet: cln.NewWallet(a.node, cln.WalletOptions{Now: a.clock.Now}),
		Spent:  spent, Now: a.clock.Now, Emit: a.events.Publish, Failed: a.failed,
	})
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	return nil
}

// checkNode refuses to pay from a node that would show its address to whoever is
// paid, and says what else is wrong with it.
func (a *App) checkNode(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	h, err := a.node.Health(ctx)
	if err != nil {
		return fmt.Errorf("core lightning at %q: %w", a.cfg.Lightning.RPC, err)
	}
	if h.Exposed && a.cfg.Client != nil && !a.cfg.Lightning.AllowReveal {
		return errors.New("this node would connect straight to the relays that it pays and show them its address: " +
			"set fetchinvoice-noconnect or always-use-proxy in Core Lightning's configuration, or lightning.allow_reveal in tops.toml")
	}
	need := cln.Need{Hidden: a.cfg.Client != nil && !a.cfg.Lightning.AllowReveal}
	if a.cfg.Client != nil {
		need.SpendMsat = a.cfg.Client.MaxRoundMsat
	}
	if a.cfg.Relay != nil {
		need.ReceiveMsat = a.cfg.Relay.RateMsat
	}
	for _, problem := range h.Problems(need) {
		a.log.Warn().Msg(problem)
	}
	return nil
}

// spent is what the budget begins with: a day's payments one by one, all before
// as one sum, and what is still held.
func (a *App) spent(ctx context.Context) ([]policies.Spending, error) {
	return a.books.Spendings(ctx, a.clock.Now().Add(-24*time.Hour))
}

func (a *App) serveSOCKS(ctx context.Context) error {
	ln, err := net.Listen("tcp", a.cfg.Client.SOCKS)
	if err != nil {
		return fmt.Errorf("client.socks: %w", err)
	}
	srv := &socks.Server{Connect: a.client.Connect, Reply: client.Reply, Failed: a.failed}
	return srv.Serve(ctx, ln)
}

func (a *App) proxy() *proxy.Server {
	return &proxy.Server{
		Dial:   proxy.Dialer(a.cfg.Tor.Control),
		Engine: a.engine,
		OnError: func(c proxy.Controller, err error) {
			a.log.Warn().Str("controller", c.String()).Err(err).Msg("controller")
		},
	}
}

// logEvents writes what happens to pay streams into the log.
func (a *App) logEvents() (cancel func()) {
	return a.events.Subscribe(func(e paystream.Event, dropped int) {
		l := a.log.Info()
		if dropped > 0 {
			l = l.Int("events_lost_before", dropped)
		}
		l.Str("paystream", string(e.Handle)).Str("status", string(e.Status)).Str("circuit", e.Circuit).
			Int("round", e.Round).Int64("due_msat", e.DueMsat).Int64("paid_msat", e.PaidMsat).
			Str("reason", string(e.Reason)).Msg("paystream")
	})
}

func (a *App) failed(err error) {
	if err != nil {
		a.log.Warn().Err(err).Msg("went wrong, and goes on")
	}
}

func (a *App) close() (err error) {
	if a.relay != nil {
		err = errors.Join(err, a.relay.Close())
	}
	if a.node != nil {
		err = errors.Join(err, a.node.Close())
	}
	if a.books != nil {
		err = errors.Join(err, a.books.Close())
	}
	return err
}

// payeeNode is cln.Receiver as a relay asks it.
type payeeNode struct{ *cln.Receiver }

func (n payeeNode) Offer(ctx context.Context, description string) (offer, id string, err error) {
	o, err := n.Receiver.Offer(ctx, description)
	return o.Bolt12, o.ID, err
}

// RelayStateFile is where a relay's tor options are remembered.
func RelayStateFile(c *config.Config) string { return filepath.Join(c.DataDir, "tor-relay.json") }

// TorOptions says how to reach tor.
func TorOptions(c *config.Config) (tor.Options, error) {
	o := tor.Options{Address: c.Tor.Control, CookieFile: c.Tor.Cookie}
	if c.Tor.PasswordFile != "" {
		text, err := os.ReadFile(c.Tor.PasswordFile)
		if err != nil {
			return o, fmt.Errorf("tor.password_file: %w", err)
		}
		o.Password = strings.TrimRight(string(text), "\r\n")
	}
	return o, nil
}
