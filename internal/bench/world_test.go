package bench_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/testnet"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
	"github.com/rs/zerolog"
)

func TestMain(m *testing.M) {
	if err := testnet.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

var webAddr = netip.MustParseAddrPort("93.184.216.34:80")

// world is a network with a paid exit and an ordinary one, and a client's tor.
type world struct {
	net       *testnet.Network
	circuits  *tor.Circuits
	attacher  *tor.Attacher
	paid      []string // a path to the paid exit
	plain     []string // and one to the ordinary exit
	terms     policies.Terms
	gatewayAt netip.AddrPort
}

func newWorld(b *testing.B) *world {
	b.Helper()
	dir := b.TempDir()
	nodes := clnsim.NewWorld(clnsim.Options{})
	b.Cleanup(nodes.Close)
	must(b, nodes.AddNode("payee", clnsim.NodeOptions{}))
	must(b, nodes.Start("payee", filepath.Join(dir, "rpc")))
	serveWeb(b)

	w := &world{circuits: tor.NewCircuits()}
	var err error
	w.net, err = testnet.Start(b.Context(), testnet.Options{Relays: 4, Exits: 1, Clients: 1})
	must(b, err)
	b.Cleanup(func() { w.net.Close() })
	r := w.net.Relays
	w.paid = []string{r[0].Fingerprint, r[1].Fingerprint, r[2].Fingerprint}
	w.plain = []string{r[0].Fingerprint, r[1].Fingerprint, r[3].Fingerprint}
	w.gatewayAt = netip.AddrPortFrom(r[2].Addr, 9402)
	runRelay(b, dir, r[2])

	settings := tor.NewSettings(tor.SettingsState{}, func(tor.SettingsState) error { return nil }, nil)
	w.attacher = tor.NewAttacher(settings)
	c, err := tor.Start(b.Context(), tor.Config{
		Options: tor.Options{Address: w.net.Clients[0].ControlSocket}, Handlers: []tor.Handler{settings, w.circuits, w.attacher},
	})
	must(b, err)
	b.Cleanup(func() { c.Close() })
	w.readTerms(b)
	return w
}

// runRelay runs tops as the relay, in this process.
func runRelay(b *testing.B, dir string, node *testnet.Node) {
	b.Helper()
	cfg, err := config.Parse(fmt.Sprintf("data_dir = %q\n[tor]\ncontrol = \"unix:%s\"\n[lightning]\nrpc = %q\n[relay]\nexit_policy = \"accept *:*\"\nfree_bytes = %d\n",
		filepath.Join(dir, "relay"), node.ControlSocket, filepath.Join(dir, "rpc"), 1<<40))
	must(b, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended, ready := make(chan error, 1), make(chan struct{})
	go func() {
		ended <- app.Run(ctx, cfg, app.Options{Log: zerolog.Nop(), Ready: func() { close(ready) }})
	}()
	select {
	case <-ready:
	case err := <-ended:
		b.Fatal(err)
	}
	b.Cleanup(func() { cancel(); <-ended })
}

// readTerms waits until the gateway can be reached: an exit enforces a changed
// policy about a second after it was set.
func (w *world) readTerms(b *testing.B) {
	b.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		c, link, err := w.build(b.Context())
		if err == nil {
			w.terms, err = link.Terms(b.Context())
			link.Close()
			c.Close(b.Context())
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			b.Fatal(err)
		}
	}
}

// build makes a circuit to the paid exit, and the line to its gateway.
func (w *world) build(ctx context.Context) (*tor.Circuit, *gateway.Client, error) {
	c, err := w.circuits.Build(ctx, w.paid)
	if err != nil {
		return nil, nil, err
	}
	return c, gateway.NewClient(func(ctx context.Context) (net.Conn, error) {
		return w.attacher.DialGateway(ctx, tor.Gateway{Fingerprint: w.paid[2], Addr: w.gatewayAt}, tor.Target{Circuit: c.ID, Hop: 3})
	}), nil
}

// intent is a fresh one under the relay's terms.
func (w *world) intent() paystream.Intent {
	return paystream.Intent{Hash: paystream.NewPreimage().Hash(), TermsHash: w.terms.Hash()}
}

// serveWeb serves /N: N bytes.
func serveWeb(b *testing.B) {
	b.Helper()
	outside, err := testnet.NewOutside(webAddr.Addr())
	must(b, err)
	ln, err := outside.Listen("tcp", webAddr.String())
	must(b, err)
	srv := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Path[1:])
		rw.Header().Set("Content-Length", strconv.Itoa(n))
		chunk := make([]byte, 64<<10)
		for n > 0 {
			k := min(n, len(chunk))
			if _, err := rw.Write(chunk[:k]); err != nil {
				return
			}
			n -= k
		}
	})}
	go srv.Serve(ln)
	b.Cleanup(func() { srv.Close() })
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
