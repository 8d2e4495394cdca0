package app

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/bus"
	"github.com/el-tor/tops/internal/client"
	"github.com/el-tor/tops/internal/clock"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/control"
	"github.com/el-tor/tops/internal/fault"
	"github.com/el-tor/tops/internal/guard"
	"github.com/el-tor/tops/internal/metrics"
	"github.com/el-tor/tops/internal/relay"
	"github.com/el-tor/tops/internal/socks"
	"github.com/el-tor/tops/internal/web"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies/access"
	"github.com/el-tor/tops/proxy"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
)

// Options are what main knows and a configuration does not.
type Options struct {
	Version string
	Log     zerolog.Logger
	// Guardian is the command line of a process that puts tor back if this one is
	// killed (see package guard); none: no guardian.
	Guardian []string
	// Recent, if set, is the end of the log, for a debug bundle.
	Recent func() []byte
	// Ready, if set, is called when everything that was configured works.
	Ready func()
	// Running, if set, is given the app then; it is good until Run returns.
	Running func(*App)
}

// App is a running tops.
type App struct {
	cfg       *config.Config
	log       zerolog.Logger
	clock     *clock.Clock
	books     *ledger.Ledger
	node      *cln.Client
	receiver  *cln.Receiver // of a relay
	health    nodeHealth
	lookEvery time.Duration // at the node; 0: lookAtNode
	tidyFirst time.Duration // of the books; 0: tidyFirst
	events    bus.Bus[paystream.Event]
	client    *client.Client
	relay     *relay.Relay
	engine    *control.Engine
	options   *control.Options

	askers      net.Listener   // of the status
	apps        net.Listener   // of the SOCKS port
	page        net.Listener   // of the status page; nil: none
	controllers []net.Listener // of the proxy
	own         []bool         // which of them tops authenticates itself
	proxies     []*proxy.Server
	cookieFile  string         // that we wrote for controllers
	policy      *access.Policy // what controllers may say, nil: everything
	listening   []net.Listener // all of them, to be closed

	recent    func() []byte     // the end of the log
	reloading sync.Mutex        // guards reloaded
	reloaded  map[string]string // keys that differ from cfg by now

	guardian []string
	guard    *guard.Guardian
	putBack  bool // the client has put tor back itself
}

// Run runs what a configuration says until ctx ends, and then ends cleanly.
func Run(ctx context.Context, cfg *config.Config, o Options) (err error) {
	raiseFileLimit()
	a := &App{cfg: cfg, log: o.Log, recent: o.Recent, clock: clock.New(), guardian: o.Guardian, reloaded: map[string]string{}}
	defer func() { err = errors.Join(err, a.close()) }()
	if err := a.open(ctx); err != nil {
		return err
	}
	a.engine = &control.Engine{Version: o.Version, Client: a.client, Books: a.books, Events: &a.events, Wallet: a.wallet}
	if a.client != nil && a.client.Native() {
		a.engine.Native = a.client.BuildNative
	}
	a.options = &control.Options{Client: cfg.Client}
	if a.relay != nil {
		a.engine.Payee, a.engine.Relay = a.relay.Payee, a.relay.Terms()
		a.options.Relay = a.relay
	}
	defer a.logEvents()()
	figures := newObserver(a)
	defer figures.count()()

	if err := a.makeProxies(); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	if a.relay != nil {
		g.Go(func() error { return a.relay.Run(gctx) })
	}
	if a.client != nil {
		g.Go(func() error {
			err := a.client.Run(gctx)
			a.putBack = err == nil
			return err
		})
		g.Go(func() error { return a.serveSOCKS(gctx, a.apps) })
	}
	if a.node != nil {
		g.Go(func() error { a.watchNode(gctx); return gctx.Err() })
	}
	g.Go(func() error { return a.serveStatus(gctx, a.askers) })
	if a.books != nil {
		g.Go(func() error { a.tidyBooks(gctx); return gctx.Err() })
		g.Go(func() error { return fault.Mark(fault.Books, a.books.Wait(gctx)) })
	}
	if a.page != nil {
		page := web.New(web.Config{Source: figures, Metrics: metrics.Handler(figures), Hosts: cfg.Web.Hosts})
		g.Go(func() error { return page.Serve(gctx, a.page) })
	}
	for i, ln := range a.controllers {
		g.Go(func() error { return a.proxies[i].Serve(gctx, ln) })
	}
	a.log.Info().Bool("client", a.client != nil).Bool("relay", a.relay != nil).Strs("proxy", cfg.Proxy.Listen).Str("page", a.pageAddress()).Msg("running")
	if o.Ready != nil {
		o.Ready()
	}
	if o.Running != nil {
		o.Running(a)
	}
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	a.log.Info().Msg("ended")
	return nil
}

func (a *App) serveSOCKS(ctx context.Context, ln net.Listener) error {
	srv := &socks.Server{Connect: a.client.Connect, Resolve: a.client.Resolve, Reply: client.Reply, Failed: a.failed}
	return srv.Serve(ctx, ln)
}

func (a *App) proxy() *proxy.Server {
	srv := &proxy.Server{
		Dial:   proxy.Dialer(a.cfg.Tor.Control),
		Engine: a.engine, Terms: a.engine, Attach: a.engine,
		StallTimeout: time.Duration(a.cfg.Proxy.StallTimeout),
		OnError: func(c proxy.Controller, err error) {
			a.log.Warn().Str("controller", c.String()).Err(err).Msg("controller")
		},
	}
	if a.relay != nil || a.client == nil || !a.client.Native() { // El Tor's tor knows the Payment options
		srv.Conf = a.options
	}
	if a.policy != nil {
		srv.Access = proxy.Profiles{Policy: a.policy}
	}
	if a.policy != nil || a.cfg.Proxy.UpgradeCircuits {
		srv.Upgrade = a.engine // for the controllers whose profile says so, or all
	}
	return srv
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

// logOpening writes into the log what newcomers are asked for from now on.
func (a *App) logOpening(o paystream.Opening) {
	a.log.Info().Str("opening", o.String()).Msg("newcomers are asked for something else")
}

func (a *App) failed(err error) {
	if err != nil {
		a.log.Warn().Err(err).Msg("went wrong, and goes on")
	}
}

// wallet asks the node how it is.
func (a *App) wallet(ctx context.Context) (cln.Health, error) {
	if a.node == nil {
		return cln.Health{}, controlspec.Errorf(551, "This tops has no Lightning node: its configuration plays no role")
	}
	return a.node.Health(ctx)
}
