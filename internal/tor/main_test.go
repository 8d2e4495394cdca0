//go:build linux

package tor_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/el-tor/tops/internal/testnet"
	"github.com/el-tor/tops/internal/tor"
)

// One network serves all tests that want a real tor.
var network = sync.OnceValues(func() (*testnet.Network, error) {
	return testnet.Start(context.Background(), testnet.Options{Clients: 2, Exits: 1})
})

var networkUsed bool

func TestMain(m *testing.M) {
	if err := testnet.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if networkUsed {
		if n, err := network(); err == nil {
			n.Close()
		}
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func realNetwork(t testing.TB) *testnet.Network {
	t.Helper()
	networkUsed = true
	n, err := network()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// within is a context for one step of a test.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// start runs a client with handlers until the end of the test.
func start(t testing.TB, node *testnet.Node, handlers ...tor.Handler) *tor.Client {
	t.Helper()
	c, err := tor.Start(within(t, 20*time.Second), tor.Config{
		Options:  tor.Options{Address: node.ControlSocket},
		Handlers: handlers,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// dial is a plain connection, as another controller has it.
func dial(t testing.TB, node *testnet.Node) *tor.Conn {
	t.Helper()
	c, err := tor.Dial(within(t, 10*time.Second), tor.Options{Address: "unix:" + node.ControlSocket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// do sends a command that must succeed and returns the text of the reply's
// first line, or its data.
func do(t testing.TB, c *tor.Conn, line string) string {
	t.Helper()
	reply, err := c.Do(within(t, 10*time.Second), line)
	if err != nil {
		t.Fatal(err)
	}
	if first := reply.Lines[0]; first.Sep == '+' {
		return first.Data
	}
	return reply.Lines[0].Text
}

// eventually waits for a condition that nothing tells of.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ctx := within(t, 15*time.Second)
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within 15 s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// gateway makes a relay reachable as design has it, an echo server standing
// for the gateway, and returns how a client reaches it.
func gateway(t testing.TB, node *testnet.Node) tor.Gateway {
	t.Helper()
	addr := netip.AddrPortFrom(node.Addr, 9402)
	ln, err := net.Listen("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	settings := tor.NewSettings(tor.SettingsState{}, nil, nil)
	client := start(t, node, settings)
	err = settings.Set(within(t, 10*time.Second),
		tor.Fixed("ExitRelay", "1"),
		tor.Fixed("ExitPolicyRejectPrivate", "0"),
		tor.Fixed("ExitPolicyRejectLocalInterfaces", "0"),
		tor.Fixed("ExitPolicy", fmt.Sprintf("accept %s,reject private:*,reject *:*", addr)),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// t.Context has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := settings.Restore(ctx); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "exit rule", func() bool {
		policy, err := client.ExitPolicy(t.Context())
		return err == nil && strings.Contains(policy, "accept "+addr.String())
	})
	return tor.Gateway{Fingerprint: node.Fingerprint, Addr: addr}
}
