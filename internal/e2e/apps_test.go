//go:build world

package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/testnet"
	"golang.org/x/net/proxy"
)

// apps is a world for those who browse: three exits that are paid, of different
// price, three relays that are not, one of them an exit for everybody, and a client
// whose SOCKS port apps use.
type apps struct {
	*world
	exits  []*testnet.Node // paid
	roles  []*role         // of the exits
	hidden *hidden         // an onion service
}

// TestApps plays what apps see of the client.
func TestApps(t *testing.T) {
	w := newApps(t)
	for _, s := range []struct {
		name  string
		scene func(*apps, *testing.T)
	}{
		{"front", (*apps).front},
		{"exit stops", (*apps).exitStops},
		{"identities", (*apps).identities},
		{"onion", (*apps).onion},
		{"paths", (*apps).paths},
		{"trickles", (*apps).trickles},
		{"bridges", (*apps).bridges},
		{"continuations", (*apps).continuations},
		{"middle", (*apps).middle},
		{"budget", (*apps).budget},
		{"exit dies", (*apps).exitDies},
	} {
		t.Run(s.name, func(t *testing.T) { s.scene(w, t) })
	}
}

func newApps(t *testing.T) *apps {
	dir, err := os.MkdirTemp("", "e2e")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &apps{world: &world{dir: dir, log: &logBuffer{}, nodes: clnsim.NewWorld(clnsim.Options{})}}
	t.Cleanup(w.nodes.Close)
	for _, name := range []string{"payer", "payee0", "payee1", "payee2"} {
		if err := w.nodes.AddNode(name, clnsim.NodeOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := w.nodes.Start(name, w.rpc(name)); err != nil {
			t.Fatal(err)
		}
	}
	outside := serveOutside(t)
	serveFiles(t, outside)
	serveDaytime(t, outside)
	if w.net, err = testnet.Start(t.Context(), testnet.Options{Relays: 6, Exits: 1, Clients: 1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.net.Close(); err != nil {
			t.Error(err)
		}
	})
	w.exits = w.net.Relays[:3]
	w.relate(t, w.net.Relays[3], w.exits[0])
	w.hidden = w.hide(t, w.net.Relays[4])
	w.roles = make([]*role, 3)
	t.Cleanup(func() {
		w.client.stop(t)
		for _, r := range w.roles {
			r.stop(t)
		}
		if t.Failed() {
			t.Logf("the log:\n%s", w.log.String())
		}
	})
	w.setTerms(t, nil)
	w.browse(t, nil)
	return w
}

// setTerms has all exits run anew, with configurations that change may have changed.
func (w *apps) setTerms(t *testing.T, change func(*config.Relay)) {
	t.Helper()
	for i, node := range w.exits {
		w.roles[i].stop(t)
		cfg := parse(t, `data_dir = %q
[tor]
control = "unix:%s"
[lightning]
rpc = %q
[relay]
rate_msat = %d
interval = "2s"
grace = "2s"
exit_policy = "accept *:*"
`, filepath.Join(w.dir, node.Name), node.ControlSocket, w.rpc(fmt.Sprint("payee", i)), 1000+500*i)
		if change != nil {
			change(cfg.Relay)
		}
		w.roles[i] = w.run(t, cfg, node.Name)
	}
}

// browse runs the client anew, on new books, and waits until every exit can be paid.
func (w *apps) browse(t *testing.T, change func(*config.Client)) {
	t.Helper()
	w.client.stop(t)
	if err := os.RemoveAll(filepath.Join(w.dir, "client")); err != nil {
		t.Fatal(err)
	}
	fingerprints := make([]string, len(w.exits))
	for i, e := range w.exits {
		fingerprints[i] = strconv.Quote(e.Fingerprint)
	}
	cfg := parse(t, `data_dir = %q
[tor]
control = "unix:%s"
[lightning]
rpc = %q
[proxy]
listen = ["unix:%s"]
[client]
socks = %q
relays = [%s]
`, filepath.Join(w.dir, "client"), w.net.Clients[0].ControlSocket, w.rpc("payer"), w.controlSocket(), socksPort,
		strings.Join(fingerprints, ", "))
	if change != nil {
		change(cfg.Client)
	}
	w.client = w.run(t, cfg, "client")
	for _, e := range w.exits {
		w.payable(t, e)
	}
}

// payable waits until a connection comes through the gateway of an exit.
func (w *apps) payable(t *testing.T, exit *testnet.Node) {
	t.Helper()
	c := w.controller(t)
	until(t, "the gateway of "+exit.Name+" to be reachable", 60*time.Second, func() bool {
		got := c.ask(t, "EXTENDPAIDCIRCUIT 0 "+strings.Join(w.pathTo(exit), ","))
		id, ok := strings.CutPrefix(got, "250 EXTENDED ")
		if !ok {
			return false
		}
		defer c.closeCircuit(id)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		conn, err := dialSOCKS(ctx, "circ="+id, files.String())
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// pathTo leads to an exit over relays that are not paid.
func (w *apps) pathTo(exit *testnet.Node) []string {
	return []string{w.net.Relays[3].Fingerprint, w.net.Relays[4].Fingerprint, exit.Fingerprint}
}

// files serves /N: N bytes, the head and each half after a moment.
var (
	files  = netip.AddrPortFrom(chargen.Addr(), 80)
	files6 = netip.AddrPortFrom(sixth, 80)
)

func serveFiles(t *testing.T, outside *testnet.Outside) {
	srv := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Path[1:])
		if err != nil {
			http.NotFound(rw, r)
			return
		}
		time.Sleep(80 * time.Millisecond) // a server that thinks
		rw.Header().Set("Content-Length", strconv.Itoa(n))
		rw.Write(make([]byte, n/2))
		http.NewResponseController(rw).Flush()
		time.Sleep(40 * time.Millisecond)
		rw.Write(make([]byte, n-n/2))
	})}
	var serving sync.WaitGroup
	t.Cleanup(func() { srv.Close(); serving.Wait() })
	for _, at := range []netip.AddrPort{files, files6} {
		ln, err := outside.Listen("tcp", at.String())
		if err != nil {
			t.Fatal(err)
		}
		serving.Go(func() { srv.Serve(ln) })
	}
}

// errBroken is a fetch that broke after its first byte.
var errBroken = errors.New("broken in the middle")

// fetch gets a small file as a browser would, on a connection of its own.
func fetch(ctx context.Context, user string, size int) error {
	conn, err := dialAs(ctx, user, files.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := fmt.Fprintf(conn, "GET /%d HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", size, files); err != nil {
		return err
	}
	br := bufio.NewReader(conn)
	if _, err := br.Peek(1); err != nil {
		return err
	}
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != int64(size) {
		return fmt.Errorf("%w: %d bytes: %v", errBroken, n, err)
	}
	return nil
}

// dialAs connects through the client's SOCKS port, with a user name or with none.
func dialAs(ctx context.Context, user, target string) (net.Conn, error) {
	var auth *proxy.Auth
	if user != "" {
		auth = &proxy.Auth{User: user, Password: "x"}
	}
	dialer, err := proxy.SOCKS5("tcp", socksPort, auth, nil)
	if err != nil {
		return nil, err
	}
	return dialer.(proxy.ContextDialer).DialContext(ctx, "tcp", target)
}

// status is what `tops status` would show.
func (w *apps) status(t *testing.T) app.Status {
	t.Helper()
	st, err := app.AskStatus(t.Context(), w.client.cfg)
	if err != nil {
		t.Fatal(err)
	}
	return st
}
