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
	"github.com/el-tor/tops/internal/client"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/fault"
	"github.com/el-tor/tops/internal/guard"
	"github.com/el-tor/tops/internal/relay"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/policies"
	"github.com/el-tor/tops/policies/access"
	"github.com/el-tor/tops/proxy"
)

// open opens the books and starts the roles.
func (a *App) open(ctx context.Context) (err error) {
	if err := os.MkdirAll(a.cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	if a.cfg.Client != nil || a.cfg.Relay != nil {
		a.node = cln.NewClient(a.cfg.Lightning.RPC)
		if err := a.checkNode(ctx); err != nil {
			return fault.Mark(fault.Lightning, err)
		}
	}
	if a.books, err = ledger.OpenWith(ctx, a.cfg.Ledger(), ledger.Options{Backups: a.cfg.DataDir}); err != nil {
		return fault.Mark(fault.Books, err)
	}
	if err := a.listen(); err != nil {
		return err
	}
	torOptions, err := TorOptions(a.cfg)
	if err != nil {
		return err
	}
	if a.cfg.Relay != nil {
		a.receiver = cln.NewReceiver(a.node, cln.ReceiverOptions{Now: a.clock.Now, OnError: a.failed, OnRestored: a.nodeRestored, FrontingNodes: a.cfg.Relay.FrontingNodes})
		a.relay, err = relay.New(ctx, relay.Config{
			Relay: a.cfg.Relay, Tor: torOptions, Journal: a.books, StateFile: RelayStateFile(a.cfg),
			CircuitsFile: filepath.Join(a.cfg.DataDir, "eltor-circuits.json"),

			Node: payeeNode{a.receiver},
			Now:  a.clock.Now, Emit: a.events.Publish, Failed: a.failed, Opening: a.logOpening,
		})
		if err != nil {
			return fmt.Errorf("relay: %w", err)
		}
	}
	if a.cfg.Client == nil {
		return nil
	}
	if len(a.guardian) > 0 {
		if a.guard, err = guard.Start(ctx, a.guardian); err != nil {
			return err
		}
	}
	spent, err := a.spent(ctx)
	if err != nil {
		return err
	}
	wallet := cln.NewWallet(a.node, cln.WalletOptions{Now: a.clock.Now, Addresses: &cln.Addresses{Dial: a.dialAddress}})
	a.client, err = client.New(ctx, client.Config{
		Client: a.cfg.Client, Tor: torOptions, Journal: a.books, StateFile: ClientStateFile(a.cfg),
		BookFile: filepath.Join(a.cfg.DataDir, "experience.json"),
		Wallet:   wallet, Payable: wallet.Payable,
		Able:  a.health.able,
		Spent: spent, Accounts: a.accounts(), Now: a.clock.Now, Emit: a.events.Publish, Failed: a.failed,
	})
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	return nil
}

// accounts are the budgets of access profiles.
func (a *App) accounts() map[string]int64 {
	if a.policy == nil {
		return nil
	}
	return a.policy.Set().DayMsat()
}

// listen opens every port and socket before anything is asked of tor, so that an
// address that is taken changes nothing.
func (a *App) listen() (err error) {
	if a.askers, err = proxy.Listen("unix:"+StatusSocket(a.cfg), proxy.ListenOptions{}); err != nil {
		return fmt.Errorf("status socket: %w", err)
	}
	a.listening = append(a.listening, a.askers)
	if err := a.listenPage(); err != nil {
		return err
	}
	listeners, policy, err := readProxy(a.cfg)
	if err != nil {
		return err
	}
	a.policy = policy
	for _, l := range listeners {
		ln, err := l.Listen()
		if err != nil {
			return fmt.Errorf("proxy.listen: %w", err)
		}
		a.own = append(a.own, l.Own)
		a.controllers, a.listening = append(a.controllers, ln), append(a.listening, ln)
	}
	if a.cfg.Client == nil {
		return nil
	}
	if a.apps, err = proxy.Listen(a.cfg.Client.SOCKS, proxy.ListenOptions{AllowRemote: a.cfg.Client.Remote}); err != nil {
		return fmt.Errorf("client.socks: %w", err)
	}
	a.listening = append(a.listening, a.apps)
	return nil
}

// readProxy reads what [proxy] names: listeners, and access profiles, nil if there are
// none.
func readProxy(c *config.Config) (list []proxy.Listener, policy *access.Policy, err error) {
	if len(c.Proxy.Policy) > 0 {
		if policy, err = access.Open(c.Proxy.Policy...); err != nil {
			return nil, nil, fault.Mark(fault.Usage, fmt.Errorf("proxy.policy: %w", err))
		}
	}
	for _, addr := range c.Proxy.Listen {
		l, err := proxy.ParseListener(addr, proxy.Listener{})
		if err == nil && l.AllowRemote && policy == nil {
			err = fmt.Errorf("listener %s for other machines would give them all of tor: proxy.policy is missing", l.Addr)
		}
		if err != nil {
			return nil, nil, fault.Mark(fault.Usage, fmt.Errorf("proxy.listen: %w", err))
		}
		list = append(list, l)
	}
	return list, policy, nil
}

// CheckProxy says what of [proxy] cannot be, which package config does not know.
func CheckProxy(c *config.Config) error {
	_, _, err := readProxy(c)
	return err
}

// dialAddress is how the server of a Lightning Address is reached.
func (a *App) dialAddress(ctx context.Context, _, address string) (net.Conn, error) {
	return a.client.DialIsolated(ctx, address)
}

// checkNode refuses to pay from a node that would show its address to whoever is
// paid. What else may be wrong with it is watchNode's to tell.
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
	return nil
}

// spent is what the budget begins with: a day's payments one by one, all before
// as one sum, and what is still held.
func (a *App) spent(ctx context.Context) ([]policies.Spending, error) {
	return a.books.Spendings(ctx, a.clock.Now().Add(-24*time.Hour))
}

func (a *App) close() (err error) {
	for _, ln := range a.listening {
		_ = ln.Close() // most are closed by who served them
	}
	if a.cookieFile != "" {
		_ = os.Remove(a.cookieFile) // nobody would take it any more
	}
	if a.client != nil {
		err = a.client.Disconnect() // or it would set again what the guardian puts back
	}
	switch {
	case a.guard == nil:
	case a.putBack:
		err = errors.Join(err, a.guard.Release())
	default:
		err = errors.Join(err, a.guard.Abandon())
	}
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

// payeeNode is Core Lightning as a relay asks it.
type payeeNode struct{ *cln.Receiver }

func (n payeeNode) Offer(ctx context.Context, description string) (string, error) {
	o, err := n.Receiver.Offer(ctx, description)
	return o.Bolt12, err
}

// RelayStateFile is where a relay's tor options are remembered.
func RelayStateFile(c *config.Config) string { return filepath.Join(c.DataDir, "tor-relay.json") }

// ClientStateFile is where a client's are.
func ClientStateFile(c *config.Config) string { return filepath.Join(c.DataDir, "tor-client.json") }

// DoctorStateFile is where those are that `tops doctor` sets for a moment.
func DoctorStateFile(c *config.Config) string { return filepath.Join(c.DataDir, "tor-doctor.json") }

// TorOptions says how to reach tor.
func TorOptions(c *config.Config) (tor.Options, error) {
	o := tor.Options{Address: c.Tor.Control, CookieFile: c.Tor.Cookie}
	if c.Tor.PasswordFile != "" {
		text, err := os.ReadFile(c.Tor.PasswordFile)
		if err != nil {
			return o, fault.Mark(fault.Usage, fmt.Errorf("tor.password_file: %w", err))
		}
		o.Password = strings.TrimRight(string(text), "\r\n")
	}
	return o, nil
}
