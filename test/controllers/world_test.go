package controllers_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/testnet"
	"github.com/el-tor/tops/internal/tor"
)

const socksPort = "127.0.0.1:9150" // of tops

// world is a network with a relay that is paid, a relay that is an ordinary exit,
// and a tor that a client of tops shares with others.
type world struct {
	dir  string
	net  *testnet.Network
	tor  *testnet.Node // the client's
	path []string      // guard, middle, and the relay that is paid
	exit string        // the ordinary one
	base string        // the client's options before tops came

	client *proc
}

func TestClient(t *testing.T) {
	w := newWorld(t)
	t.Run("bad controllers", w.badControllers)
	t.Run("reloads", w.reloads)
	t.Run("attachers", w.attachers)
	t.Run("killed", w.killed)
}

func newWorld(t *testing.T) *world {
	dir, err := os.MkdirTemp("", "ctl") // short, for the paths of sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &world{dir: dir}
	nodes := clnsim.NewWorld(clnsim.Options{})
	t.Cleanup(nodes.Close)
	for _, name := range []string{"payer", "payee"} {
		if err := nodes.AddNode(name, clnsim.NodeOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := nodes.Start(name, filepath.Join(dir, name+"-rpc")); err != nil {
			t.Fatal(err)
		}
	}
	serveCounters(t)
	if w.net, err = testnet.Start(t.Context(), testnet.Options{Relays: 4, Exits: 1, Clients: 1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.net.Close(); err != nil {
			t.Error(err)
		}
	})
	r := w.net.Relays
	w.tor, w.path, w.exit = w.net.Clients[0], []string{r[0].Fingerprint, r[1].Fingerprint, r[2].Fingerprint}, r[3].Fingerprint
	w.base = w.options(t)
	w.run(t, "relay", fmt.Sprintf(`
[tor]
control = "unix:%s"
[lightning]
rpc = %q
[relay]
exit_policy = "accept *:*"
free_bytes = 1_000_000_000 # on a busy machine these scenes take long
`, r[2].ControlSocket, filepath.Join(dir, "payee-rpc")))
	w.startClient(t)
	return w
}

func (w *world) startClient(t *testing.T) {
	t.Helper()
	w.client = w.run(t, "client", fmt.Sprintf(`
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
`, w.tor.ControlSocket, filepath.Join(w.dir, "payer-rpc"), w.controlSocket(), socksPort, w.path[2], w.path[0]))
}

// controlSocket is the client's control port: tor's, with the words of TOPS.
func (w *world) controlSocket() string { return filepath.Join(w.dir, "control.sock") }

// run starts a role and waits until it works.
func (w *world) run(t *testing.T, role, text string) *proc {
	t.Helper()
	file := filepath.Join(w.dir, role+".toml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "data_dir = %q\n%s", filepath.Join(w.dir, role), text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), envConfig+"="+file)
	p := start(t, role, filepath.Join(w.dir, role+".log"), cmd)
	until(t, "the "+role, 30*time.Second, func() bool {
		if p.ended() {
			t.Fatalf("the %s ended at once", role)
		}
		_, err := app.AskStatus(t.Context(), cfg)
		return err == nil
	})
	return p
}

// options are those that a client of tops changes, as tor has them now.
func (w *world) options(t *testing.T) string {
	t.Helper()
	c := dial(t, w.tor.ControlSocket)
	defer c.Close()
	return c.ask(t, "GETCONF FetchUselessDescriptors __LeaveStreamsUnattached")
}

// ours are the options while a client of tops runs.
const ours = "FetchUselessDescriptors=1\n__LeaveStreamsUnattached=1"

// controller is an ordinary Tor controller.
type controller struct{ *tor.Conn }

func dial(t *testing.T, socket string) controller {
	t.Helper()
	conn, err := tor.Dial(t.Context(), tor.Options{Address: "unix:" + socket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return controller{conn}
}

// ask sends a command that must be obeyed, and returns the text of the reply.
func (c controller) ask(t *testing.T, line string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	reply, err := c.Do(ctx, line)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	var text []string
	for _, l := range reply.Lines {
		text = append(text, l.Text+l.Data)
	}
	return strings.Join(text, "\n")
}

// extend makes a circuit by command, EXTENDCIRCUIT or EXTENDPAIDCIRCUIT.
func (c controller) extend(t *testing.T, command string, path ...string) (circ string) {
	t.Helper()
	return strings.TrimPrefix(c.ask(t, command+" 0 "+strings.Join(path, ",")), "EXTENDED ")
}

// paid makes a paid circuit that carries streams: an exit enforces a changed
// policy about a second after it was set.
func (w *world) paid(t *testing.T, c controller) (circ string) {
	t.Helper()
	var last error
	until(t, "a paid circuit", 40*time.Second, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		reply, err := c.Do(ctx, "EXTENDPAIDCIRCUIT 0 "+strings.Join(w.path, ","))
		if last = err; err != nil {
			return false
		}
		circ = strings.TrimPrefix(reply.Lines[0].Text, "EXTENDED ")
		conn, err := dialSOCKS(ctx, socksPort, "circ="+circ)
		if last = err; err != nil {
			return false
		}
		conn.Close()
		return true
	}, func() string { return fmt.Sprint(last) })
	return circ
}

// until waits for a condition.
func until(t *testing.T, what string, limit time.Duration, ok func() bool, explain ...func() string) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			for _, f := range explain {
				what += ": " + f()
			}
			t.Fatalf("waited %s for %s", limit, what)
		}
	}
}

// counters is where serveCounters listens.
var counters = netip.MustParseAddrPort("93.184.216.34:19")
