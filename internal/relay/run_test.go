package relay

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal"
)

// watched is a node of which a test knows whether anybody follows it.
type watched struct {
	testNode
	followed atomic.Bool
}

func (w *watched) Run(ctx context.Context, from paystream.Position, sink paystream.Sink) error {
	w.followed.Store(true)
	defer w.followed.Store(false)
	return w.testNode.Run(ctx, from, sink)
}

// refusingTor answers what opens a connection, and refuses everything else.
func refusingTor(t *testing.T) tor.Options {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "control"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		sock, err := ln.Accept()
		if err != nil {
			return
		}
		defer sock.Close()
		for lines := bufio.NewScanner(sock); lines.Scan(); {
			answer := "551 no\r\n"
			switch verb, _, _ := strings.Cut(lines.Text(), " "); verb {
			case "PROTOCOLINFO":
				answer = "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n250 OK\r\n"
			case "AUTHENTICATE", "SETEVENTS":
				answer = "250 OK\r\n"
			}
			io.WriteString(sock, answer)
		}
	}()
	return tor.Options{Address: "unix:" + ln.Addr().String()}
}

// A relay whose tor takes no options ends, and nothing of it goes on behind.
func TestRunEndsAsAWhole(t *testing.T) {
	k := newKeeper(t)
	k.start(memjournal.New(), 1000)
	node := &watched{testNode: k.cfg.Node.(testNode)}
	r := &Relay{cfg: k.cfg, settings: tor.NewSettings(tor.SettingsState{}, func(tor.SettingsState) error { return nil }, nil)}
	r.cfg.Node = node
	r.me.Store(k.me.Load())
	r.offers.Store(k.offers.Load())
	r.ports.Store(&map[netip.AddrPort]bool{{}: true})
	r.server = gateway.NewServer(gateway.Config{Dial: new(gateway.Exit), Source: func(netip.Addr) bool { return false }})
	r.Payee = paystream.NewPayee(paystream.PayeeConfig{
		Terms: k.Terms(), Carrier: r.server, Receiver: node, Journal: memjournal.New(), Now: time.Now,
		Ours: func(string) bool { return true },
	})
	r.server.SetPayee(r.Payee)
	var err error
	if r.tor, err = tor.Start(t.Context(), tor.Config{Options: refusingTor(t), Handlers: []tor.Handler{r.settings}}); err != nil {
		t.Fatal(err)
	}
	defer r.tor.Close()
	if r.listener, err = net.Listen("tcp4", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v, want what tor said", err)
	}
	if err := r.listener.(*net.TCPListener).SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the gateway still listens: %v", err)
	}
	if node.followed.Load() {
		t.Error("the node is still followed")
	}
}
