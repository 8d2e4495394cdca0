package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/experience"
	"github.com/el-tor/tops/internal/statefile"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
	"golang.org/x/sync/errgroup"
)

// Config is what a client is made of.
type Config struct {
	Client    *config.Client
	Tor       tor.Options
	Wallet    paystream.Wallet
	Payable   func(context.Context, policies.Descriptor) error // whether the wallet can pay there: paystream.ErrRefused if not; may be nil
	Journal   paystream.PayerJournal
	Spent     []policies.Spending // what the books say was spent, and is held
	Accounts  map[string]int64    // msat in 24 hours, for controllers whose access profile has a budget of its own
	StateFile string              // where the tor options that have to be put back are kept
	BookFile  string              // where the experience with relays is kept
	Now       func() time.Time

	Emit   func(paystream.Event) // must return at once
	Failed func(error)           // what went wrong and goes on, for the log

	// Able, if set, says why the node cannot pay just now; then no new circuit is
	// paid for. It must not block.
	Able func() error
}

// Client is a running payer.
type Client struct {
	*paystream.Payer

	cfg      Config
	policy   policies.Payment
	budget   *budget
	settings *tor.Settings
	circuits *tor.Circuits
	attacher *tor.Attacher
	tor      *tor.Client
	native   *native                 // on El Tor's tor; nil on a stock one
	relays   *directory              // whom tor knows, and what they ask
	book     *experience.Book        // how relays have served
	live     []paystream.PayerStatus // what the journal knew at the start

	ctx    context.Context // of all that runs; ends with Run
	stop   context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.Mutex // guards what follows
	ending bool       // nothing new is begun
	paid   map[string]*circuit
	byPay  map[paystream.Handle]*circuit
	serial uint64
	lately map[string]time.Time // exits that have failed a circuit of ours, and when
	cap    *Cap                 // why apps are not paid for; nil while they are

	toldCap Cap // the last cap that was told of, and when that was

	pool    *pool[*circuit] // of the apps
	history history
	slow    slowTargets
	said    once // why apps' connections fail
}

// New connects to tor and takes up what the journal remembers. Nothing is paid
// before Run.
func New(ctx context.Context, cfg Config) (_ *Client, err error) {
	c := &Client{cfg: cfg, paid: make(map[string]*circuit), byPay: make(map[paystream.Handle]*circuit), lately: make(map[string]time.Time), relays: newDirectory()}
	c.pool = newPool[*circuit](cfg.Client.SpareCircuits, cfg.Now)
	c.pool.build, c.pool.spawn = c.buildSpare, c.spawn
	c.said.failed = c.failed
	c.ctx, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			c.stop()
		}
	}()
	c.policy = paymentPolicy(cfg.Client)
	if err := c.policy.Validate(); err != nil {
		return nil, err
	}
	c.openBook()
	c.budget = newBudget(cfg)
	c.Payer = paystream.NewPayer(paystream.PayerConfig{
		Wallet: &plainWallet{Wallet: cfg.Wallet, said: once{failed: c.failed}}, Journal: cfg.Journal, Budget: c.budget, Policy: c.policy,
		Service: c, Now: cfg.Now, Emit: c.emit,
	})
	if c.live, err = c.Recover(ctx); err != nil {
		return nil, err
	}
	if err := c.connect(ctx); err != nil {
		return nil, err
	}
	if c.native != nil {
		c.native.resumeUnbuilt(ctx, c.live) // before anybody could want one of them
	}
	return c, nil
}

// connect gives tor the options of a paying client: descriptors, so that terms
// can be read, and streams left to us.
func (c *Client) connect(ctx context.Context) (err error) {
	var saved tor.SettingsState
	if err := statefile.Load(c.cfg.StateFile, &saved); err != nil {
		return err
	}
	save := func(s tor.SettingsState) error { return statefile.Save(c.cfg.StateFile, s) }
	c.settings = tor.NewSettings(saved, save, c.cfg.Failed)
	c.circuits = tor.NewCircuits()
	fork, err := eltor.ProbeAt(ctx, c.cfg.Tor)
	if err != nil {
		return err
	}
	handlers := []tor.Handler{c.settings, c.circuits}
	if fork.Is() {
		c.native = newNative(c, fork)
		c.attacher = tor.NewBystander() // tor attaches streams itself
		handlers = append(handlers, c.attacher, waiting{c.native})
	} else {
		c.attacher = tor.NewAttacher(c.settings)
		handlers = append(handlers, c.attacher, c.relays, newIdentities{c})
	}
	if err := c.settings.Set(ctx, tor.Fixed("FetchUselessDescriptors", "1")); err != nil {
		return err
	}
	c.tor, err = tor.Start(ctx, tor.Config{
		Options: c.cfg.Tor, Handlers: handlers, State: c.torState,
	})
	if c.native != nil && err == nil {
		c.native.builder = eltor.NewBuilder(c.tor, c.circuits)
	}
	return err
}

// Carrier says which carrier it is, for people.
func (c *Client) Carrier() string {
	if c.native == nil {
		return eltor.Fork{}.Carrier()
	}
	return c.native.fork.Carrier()
}

// Run pays until ctx ends. Then payments under way are waited for, and tor gets
// its options back.
func (c *Client) Run(ctx context.Context) error {
	defer c.stop()
	g, gctx := errgroup.WithContext(c.ctx)
	g.Go(func() error { return c.Payer.Run(gctx) })
	g.Go(func() error { c.book.Run(gctx, c.failed); return nil })
	c.resume(c.ctx)
	if c.native != nil {
		g.Go(func() error { c.native.keep(gctx); return nil })
	} else {
		g.Go(func() error { c.pool.run(gctx); return nil })
	}

	select {
	case <-ctx.Done():
	case <-gctx.Done():
	}
	err := c.shutDown(context.WithoutCancel(ctx))
	c.stop()
	c.wg.Wait()
	if gerr := g.Wait(); !errors.Is(gerr, context.Canceled) {
		err = errors.Join(err, gerr)
	}
	return errors.Join(err, c.tor.Close())
}

// Disconnect lets go of tor, which Run has done if it ran. What tor was told stays.
func (c *Client) Disconnect() error {
	c.stop()
	return c.tor.Close()
}

// flushFor is how long a clean end waits for payments that the node is paying.
const flushFor = 25 * time.Second

func (c *Client) shutDown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushFor)
	defer cancel()
	c.mu.Lock()
	c.ending = true
	c.mu.Unlock()
	err := c.Flush(ctx)
	for _, p := range c.list() {
		p.leave(ctx, paystream.ReasonClient)
	}
	if c.native != nil {
		c.native.shutDown(ctx)
	}
	if lerr := c.attacher.Leave(ctx); lerr != nil && !errors.Is(lerr, tor.ErrNotConnected) {
		err = errors.Join(err, fmt.Errorf("leave tor's streams to tor: %w", lerr))
	}
	if rerr := c.settings.Restore(ctx); rerr != nil && !errors.Is(rerr, tor.ErrNotConnected) {
		err = errors.Join(err, fmt.Errorf("put tor's options back: %w", rerr))
	}
	return err
}

// spawn runs f until Run ends, unless that has begun to.
func (c *Client) spawn(f func(context.Context)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending {
		return errors.New("tops is ending")
	}
	c.wg.Go(func() { f(c.ctx) })
	return nil
}

// torState hears that tor was lost, or is back. What falls due meanwhile is paid
// only once the relay has answered again, through whatever circuit tor has then.
func (c *Client) torState(err error) {
	if err == nil || c.ctx.Err() != nil {
		return
	}
	c.failed(fmt.Errorf("tor is lost: %w", err))
	for _, p := range c.list() {
		c.Ask(p.current())
	}
}

func (c *Client) tell(e paystream.Event) {
	if c.cfg.Emit != nil {
		c.cfg.Emit(e)
	}
}

// emit hears of every change, with the engine's lock held.
func (c *Client) emit(e paystream.Event) {
	c.tell(e)
	if c.native != nil {
		c.native.hear(e)
		return
	}
	c.mu.Lock()
	p := c.byPay[e.Handle]
	c.mu.Unlock()
	if p != nil {
		p.hear(e)
	}
}

func (c *Client) list() []*circuit {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]*circuit, 0, len(c.paid))
	for _, p := range c.paid {
		out = append(out, p)
	}
	return out
}

func (c *Client) failed(err error) {
	if c.cfg.Failed != nil && err != nil {
		c.cfg.Failed(err)
	}
}
