package relay

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/statefile"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"golang.org/x/sync/errgroup"
)

// Node is the relay's Lightning node.
type Node interface {
	paystream.Receiver

	// Offer makes, or finds again, the one offer with this description.
	Offer(ctx context.Context, description string) (offer string, err error)

	// Offers lists every offer of the node whose description begins with
	// prefix, those of former terms included.
	Offers(ctx context.Context, prefix string) ([]cln.Offer, error)

	// Resolve finds the offer behind a BIP 353 name.
	Resolve(ctx context.Context, name string) (offer string, err error)

	// DisableOffer lets nobody ask for invoices by an offer any more.
	DisableOffer(ctx context.Context, id string) error

	// Sweep deletes expired invoices that are ours, from a created_index on, and
	// says where to go on.
	Sweep(ctx context.Context, from uint64, ours func(cln.Invoice) bool) (next uint64, deleted int, err error)
}

// Config is what a relay is made of.
type Config struct {
	Relay     *config.Relay
	Tor       tor.Options
	Node      Node
	Journal   paystream.PayeeJournal
	StateFile string // where the tor options that have to be put back are kept

	CircuitsFile string // where a relay on El Tor's tor keeps which circuits it serves
	Now          func() time.Time

	Emit   func(paystream.Event) // must return at once
	Failed func(error)           // what went wrong and goes on, for the log

	Opening func(paystream.Opening) // what newcomers are asked for from now on; must return at once; may be nil
}

// Relay is a running payee.
type Relay struct {
	*paystream.Payee

	cfg      Config
	tor      *tor.Client
	settings *tor.Settings
	fork     eltor.Fork
	native   *eltor.Carrier  // on El Tor's tor; nil on a stock one
	server   *gateway.Server // on a stock tor
	feeMsat  atomic.Int64    // of the terms in force; on El Tor's tor
	listener net.Listener
	lnurl    net.Listener // nil without a Lightning Address
	me       atomic.Pointer[Identity]
	offers   atomic.Pointer[[]string] // ids
	ports    atomic.Pointer[map[netip.AddrPort]bool]

	offering sync.Mutex // held while an offer is made, or offers are disabled
	newest   string     // the last that was made or found: its terms may not be in force yet
}

// New connects to tor and to the node, makes the offer and takes up what the
// journal remembers. Nothing is served before Run.
func New(ctx context.Context, cfg Config) (_ *Relay, err error) {
	r := &Relay{cfg: cfg}
	var saved tor.SettingsState
	if err := statefile.Load(cfg.StateFile, &saved); err != nil {
		return nil, err
	}
	save := func(s tor.SettingsState) error { return statefile.Save(cfg.StateFile, s) }
	r.settings = tor.NewSettings(saved, save, cfg.Failed)
	r.tor, err = tor.Start(ctx, tor.Config{Options: cfg.Tor, Handlers: []tor.Handler{r.settings}, State: r.torState})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	if r.fork, err = eltor.Probe(ctx, r.tor); err != nil {
		return nil, err
	}
	me, err := Identify(ctx, r.tor, cfg.Relay, saved)
	if err != nil {
		return nil, err
	}
	r.me.Store(&me)
	terms, err := r.offer(ctx, r.ConfiguredTerms())
	if err != nil {
		return nil, err
	}
	if r.fork.Is() {
		r.feeMsat.Store(terms.FeeMsat)
		r.native = r.newNative()
		r.Payee = r.nativePayee(terms)
		if err := r.Recover(ctx); err != nil {
			return nil, err
		}
		return r, r.listenForAddress()
	}
	if r.server, err = r.gateway(ctx, me); err != nil {
		return nil, err
	}
	r.Payee = paystream.NewPayee(paystream.PayeeConfig{
		Terms: terms, Carrier: r.server, Receiver: cfg.Node, Journal: cfg.Journal,
		Ours: func(id string) bool { return slices.Contains(*r.offers.Load(), id) }, OursPlain: r.isOursPlain,
		Now: cfg.Now,
		Opening: (&paystream.Ladder{MaxFree: cfg.Relay.MaxFree, MaxNewcomers: cfg.Relay.MaxNewcomers, AskFee: cfg.Relay.AskFee,
			Changed: cfg.Opening}).Opening,
		Emit: cfg.Emit, OnError: r.failed, OutageGrace: time.Duration(cfg.Relay.OutageGrace),
	})
	r.server.SetPayee(r.Payee)
	if err := r.Recover(ctx); err != nil {
		return nil, err
	}
	r.listener, err = net.Listen("tcp4", terms.Gateway.String())
	if err != nil {
		return nil, fmt.Errorf("the gateway listens on the relay's own address; behind NAT add it to lo: %w", err)
	}
	return r, r.listenForAddress()
}

// listenForAddress opens the port of the Lightning Address, if there is one.
func (r *Relay) listenForAddress() (err error) {
	if r.cfg.Relay.LNURLListen != "" {
		r.lnurl, err = listenLNURL(r.cfg.Relay.LNURLListen)
	}
	return err
}

// torState hears that tor was lost, or is back with its options set.
func (r *Relay) torState(err error) {
	if err != nil && r.cfg.Failed != nil {
		r.cfg.Failed(fmt.Errorf("tor is lost: %w", err))
	}
}

// Run serves until ctx ends. Tor's options are set when everything listens, and
// stay when it ends: a relay keeps them over restarts.
func (r *Relay) Run(ctx context.Context) error {
	if r.native != nil {
		return r.runNative(ctx)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.server.Serve(ctx, r.listener) })
	g.Go(func() error { return r.Payee.Run(ctx) })
	g.Go(func() error { return r.followConsensus(ctx) })
	g.Go(func() error { return r.keepHouse(ctx) })
	if r.lnurl != nil {
		g.Go(func() error { return serveLNURL(ctx, r.lnurl, r.serveAddress()) })
	}
	g.Go(func() error {
		if err := r.publish(ctx); err != nil {
			return fmt.Errorf("set tor's options: %w", err)
		}
		return r.followSelf(ctx)
	})
	err := g.Wait()
	// What was served until now is written down, so that a restart gives nothing
	// away.
	if cerr := r.Checkpoint(context.WithoutCancel(ctx)); err == nil {
		err = cerr
	}
	return err
}

// Close ends the connection to tor, and lets go of what Run did not.
func (r *Relay) Close() error {
	for _, ln := range []net.Listener{r.listener, r.lnurl} {
		if ln != nil {
			_ = ln.Close() // Run has closed it, if it ran
		}
	}
	return r.tor.Close()
}

// gateway makes the server, for connections from the relay's own tor.
func (r *Relay) gateway(ctx context.Context, me Identity) (*gateway.Server, error) {
	policy, err := gateway.ParsePolicy(r.cfg.Relay.ExitPolicy)
	if err != nil {
		return nil, fmt.Errorf("relay.exit_policy: %w", err)
	}
	from := slices.Clone(me.From)
	for _, f := range r.cfg.Relay.From {
		a, err := netip.ParseAddr(f)
		if err != nil {
			return nil, fmt.Errorf("relay.from: %q is not an address", f)
		}
		from = append(from, a)
	}
	ports, err := orPorts(ctx, r.tor)
	if err != nil {
		return nil, err
	}
	r.ports.Store(&ports)
	servers, err := r.cfg.Relay.NameServers()
	if err != nil {
		return nil, err
	}
	exit, err := gateway.NewExit(gateway.ExitConfig{
		Resolver: gateway.NewDNS(gateway.DNSConfig{Servers: servers}),

		Policy: policy,
		Own:    gateway.OwnAddresses(append(slices.Clone(me.Own), from...)...),
		Relay:  func(ap netip.AddrPort) bool { return (*r.ports.Load())[ap] },
	})
	if err != nil {
		return nil, err
	}
	return gateway.NewServer(gateway.Config{
		Dial:   exit,
		Source: func(a netip.Addr) bool { return slices.Contains(from, a.Unmap()) },
		Failed: r.cfg.Failed,

		Uplink:         r.cfg.Relay.UplinkBytes,
		PayStreamConns: r.cfg.Relay.PayStreamConns,
		PayStreamRate:  r.cfg.Relay.PayStreamRate,
		IdleTimeout:    time.Duration(r.cfg.Relay.IdleTimeout),
	}), nil
}

// followConsensus keeps the list of relays' OR ports fresh: a consensus is valid
// for three hours. A tor that has just started has none yet, and is asked again soon.
func (r *Relay) followConsensus(ctx context.Context) error {
	for {
		wait := 30 * time.Minute
		if len(*r.ports.Load()) == 0 {
			wait = 10 * time.Second
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		if ports, err := orPorts(ctx, r.tor); err == nil && len(ports) > 0 { // an empty one is no news
			r.ports.Store(&ports)
		}
	}
}

// Undo puts back every tor option that a relay set, from what its state file
// remembers. tops must not be running as this relay.
func Undo(ctx context.Context, o tor.Options, stateFile string) (restored []string, err error) {
	var saved tor.SettingsState
	if err := statefile.Load(stateFile, &saved); err != nil || len(saved.Options) == 0 {
		return nil, err
	}
	settings := tor.NewSettings(saved, func(s tor.SettingsState) error { return statefile.Save(stateFile, s) }, nil)
	c, err := tor.Start(ctx, tor.Config{Options: o, Handlers: []tor.Handler{settings}})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := settings.Restore(ctx); err != nil {
		return nil, err
	}
	for _, o := range saved.Options {
		restored = append(restored, o.Key)
	}
	return restored, nil
}

func (r *Relay) failed(err error) {
	if r.cfg.Failed != nil {
		r.cfg.Failed(err)
	}
}
