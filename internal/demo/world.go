package demo

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/testnet"
	"github.com/el-tor/tops/ledger"
	"golang.org/x/sync/errgroup"
)

// The terms of the demonstration: those of the specification, with rounds of two
// seconds in the place of a minute.
const (
	interval = 2 * time.Second
	grace    = time.Second
	rounds   = 10
)

const socksPort = "127.0.0.1:9150"

// world is everything that runs.
type world struct {
	dir    string
	net    *testnet.Network
	sim    sim
	simP   *proc
	relayP *proc
	client *proc
	path   []string // guard, middle, and the relay that is paid
}

// startWorld starts the network, the nodes, the relay and the client.
func startWorld(ctx context.Context, dir string, progress func(string)) (_ *world, err error) {
	w := &world{dir: dir}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if err := serveWeb(ctx); err != nil {
		return nil, err
	}
	var g errgroup.Group
	g.Go(func() (err error) {
		w.net, err = testnet.Start(ctx, testnet.Options{Clients: 2, Progress: progress})
		return err
	})
	g.Go(func() error { return w.startSim(ctx) })
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, r := range w.net.Relays {
		w.path = append(w.path, r.Fingerprint)
	}
	if err := w.writeConfigs(); err != nil {
		return nil, err
	}
	progress("the relay and the client of tops start")
	if err := w.startRelay(ctx); err != nil {
		return nil, err
	}
	if err := w.startClient(ctx); err != nil {
		return nil, err
	}
	return w, w.reachable(ctx)
}

// reachable waits until the gateway can be reached through tor: an exit enforces
// a changed policy about a second after it was set.
func (w *world) reachable(ctx context.Context) error {
	var last error
	err := until(ctx, "the gateway to be reachable through tor", 30*time.Second, func() bool {
		x, err := newStranger(ctx, w)
		if err == nil {
			err = x.close(ctx)
		}
		last = err
		return err == nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return nil
}

func (w *world) startSim(ctx context.Context) (err error) {
	w.simP, err = start(w.log("sim"), "sim", "--dir", w.dir, "--nodes", "payer,payee,stranger")
	if err != nil {
		return err
	}
	w.sim = newSim(filepath.Join(w.dir, "control"))
	return until(ctx, "the play-money nodes", 10*time.Second, func() bool {
		_, err := w.sim.payments(ctx)
		return err == nil
	})
}

func (w *world) log(name string) string { return filepath.Join(w.dir, name+".log") }

func (w *world) configFile(role string) string { return filepath.Join(w.dir, role+".toml") }

func (w *world) writeConfigs() error {
	exit, user := w.net.Relays[len(w.net.Relays)-1], w.net.Clients[0]
	relay := fmt.Sprintf(`data_dir = %q
[tor]
control = "unix:%s"
[lightning]
rpc = %q
[relay]
interval = "%s"
grace = "%s"
rounds = %d
exit_policy = "accept *:*"
`, filepath.Join(w.dir, "relay"), exit.ControlSocket, filepath.Join(w.dir, "payee-rpc"), interval, grace, rounds)
	client := fmt.Sprintf(`data_dir = %q
[tor]
control = "unix:%s"
[lightning]
rpc = %q
[proxy]
listen = ["unix:%s"]
[client]
socks = %q
relays = [%q]
guards = [%q]
`, filepath.Join(w.dir, "client"), user.ControlSocket, filepath.Join(w.dir, "payer-rpc"), w.controlSocket(), socksPort, w.path[2], w.path[0])
	if err := os.WriteFile(w.configFile("relay"), []byte(relay), 0o600); err != nil {
		return err
	}
	return os.WriteFile(w.configFile("client"), []byte(client), 0o600)
}

// controlSocket is the client's control port: tor's, with the words of TOPS.
func (w *world) controlSocket() string { return filepath.Join(w.dir, "control.sock") }

func (w *world) startRelay(ctx context.Context) (err error) {
	if w.relayP, err = start(w.log("relay"), "run", "-c", w.configFile("relay")); err != nil {
		return err
	}
	return w.running(ctx, "relay", w.relayP)
}

func (w *world) startClient(ctx context.Context) (err error) {
	if w.client, err = start(w.log("client"), "run", "-c", w.configFile("client")); err != nil {
		return err
	}
	return w.running(ctx, "client", w.client)
}

// running waits until a role answers on its status socket.
func (w *world) running(ctx context.Context, role string, p *proc) error {
	c, err := config.Load(w.configFile(role))
	if err != nil {
		return err
	}
	err = until(ctx, "the "+role, 20*time.Second, func() bool {
		select {
		case <-p.done:
			return true
		default:
		}
		_, err := app.AskStatus(ctx, c)
		return err == nil
	})
	if err == nil && p.cmd.ProcessState != nil {
		err = fmt.Errorf("the %s ended at once", role)
	}
	if err != nil {
		return fmt.Errorf("%w; it says:\n%s", err, tail(w.log(role)))
	}
	return nil
}

// books opens a role's ledger for reading.
func (w *world) books(ctx context.Context, role string) (*ledger.Ledger, error) {
	return ledger.OpenReader(ctx, filepath.Join(w.dir, role, "ledger.db"))
}

func (w *world) close() {
	for _, p := range []*proc{w.client, w.relayP, w.simP} {
		if p != nil {
			p.kill()
		}
	}
	if w.net != nil {
		_ = w.net.Close()
	}
}

// tail is the end of a log file.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

// gateway is where the paid relay's gateway listens.
func (w *world) gateway() netip.AddrPort {
	return netip.AddrPortFrom(w.net.Relays[len(w.net.Relays)-1].Addr, 9402)
}
