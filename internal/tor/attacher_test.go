//go:build linux

package tor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/proxy"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/testnet"
	"github.com/el-tor/tops/internal/tor"
)

// A paying is what a client needs to reach gateways.
type paying struct {
	client   *tor.Client
	settings *tor.Settings
	circuits *tor.Circuits
	attacher *tor.Attacher
}

func newPaying(t testing.TB, node *testnet.Node) paying {
	t.Helper()
	settings := tor.NewSettings(tor.SettingsState{}, nil, func(err error) { t.Error(err) })
	p := paying{settings: settings, circuits: tor.NewCircuits(), attacher: tor.NewAttacher(settings)}
	p.client = start(t, node, settings, p.circuits, p.attacher)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.attacher.Leave(ctx); err != nil {
			t.Errorf("leaving: %v", err)
		}
	})
	return p
}

func (p paying) build(t testing.TB, hops ...*testnet.Node) *tor.Circuit {
	t.Helper()
	var path []string
	for _, hop := range hops {
		path = append(path, hop.Fingerprint)
	}
	c, err := p.circuits.Build(within(t, 20*time.Second), path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// echo sends a text and expects it back.
func echo(t testing.TB, conn net.Conn, text string) {
	t.Helper()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(conn, got); err != nil {
		t.Fatal(err)
	}
	if string(got) != text {
		t.Fatalf("echo %q, want %q", got, text)
	}
}

// fetch goes through tor as an application that knows nothing of us does.
func fetch(t *testing.T, socks string) error {
	t.Helper()
	dialer, err := proxy.SOCKS5("tcp", socks, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: dialer.(proxy.ContextDialer).DialContext, DisableKeepAlives: true}
	answer, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Get("http://8.8.4.4:8080/")
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// web serves something at a public address.
func web(t *testing.T) {
	t.Helper()
	if err := testnet.AddAddress(netip.MustParseAddr("8.8.4.4")); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "8.8.4.4:8080")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler()}
	go server.Serve(ln)
	t.Cleanup(func() { server.Close() })
}

func TestAttacher(t *testing.T) {
	n := realNetwork(t)
	first, second := gateway(t, n.Relays[0]), gateway(t, n.Relays[1])
	node := n.Clients[0]
	p := newPaying(t, node)
	c := p.build(t, n.Relays[2], n.Relays[0], n.Relays[1])

	for hop, g := range map[int]tor.Gateway{2: first, 3: second, 0: second} {
		t.Run(fmt.Sprintf("hop %d", hop), func(t *testing.T) {
			conn, err := p.attacher.DialGateway(within(t, 10*time.Second), g, tor.Target{Circuit: c.ID, Hop: hop})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			echo(t, conn, "written before anybody answered")
			if err := conn.Connected(within(t, 10*time.Second)); err != nil {
				t.Error(err)
			}
			echo(t, conn, strings.Repeat("more ", 1000))
		})
	}

	t.Run("bytes are counted", func(t *testing.T) {
		eventually(t, "CIRC_BW", func() bool {
			read, written := c.Delivered()
			return read >= 15000 && written >= 15000
		})
	})

	refusals := []struct {
		name   string
		g      tor.Gateway
		target tor.Target
		want   string
	}{
		{"exit policy", tor.Gateway{Fingerprint: first.Fingerprint, Addr: netip.AddrPortFrom(first.Addr.Addr(), 9403)}, tor.Target{Circuit: c.ID, Hop: 2}, "hop 2 of circuit " + c.ID + ": refused by the relay's exit policy (EXITPOLICY)"},
		{"first hop", first, tor.Target{Circuit: c.ID, Hop: 1}, "551 Can't attach stream to this one-hop circuit"},
		{"no such hop", first, tor.Target{Circuit: c.ID, Hop: 4}, "551 Circuit doesn't have 4 hops"},
		{"no such circuit", first, tor.Target{Circuit: "999999"}, `552 Unknown circuit "999999"`},
	}
	for _, test := range refusals {
		t.Run(test.name, func(t *testing.T) {
			conn, err := p.attacher.DialGateway(within(t, 10*time.Second), test.g, test.target)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.Connected(within(t, 10*time.Second)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if _, err := conn.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Read: error %v, want %q", err, test.want)
			}
		})
	}

	// A refusal blames nobody: the same circuit serves on.
	t.Run("after refusals", func(t *testing.T) {
		conn, err := p.attacher.DialGateway(within(t, 10*time.Second), first, tor.Target{Circuit: c.ID, Hop: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		echo(t, conn, "still here")
	})

	t.Run("bad fingerprint", func(t *testing.T) {
		_, err := p.attacher.DialGateway(within(t, 10*time.Second), tor.Gateway{Fingerprint: "relay0", Addr: first.Addr}, tor.Target{Circuit: c.ID})
		if err == nil || !strings.Contains(err.Error(), "not a relay's fingerprint") {
			t.Errorf("error %v", err)
		}
	})

	t.Run("the circuit ends", func(t *testing.T) {
		doomed := p.build(t, n.Relays[2], n.Relays[0], n.Relays[1])
		conn, err := p.attacher.DialGateway(within(t, 10*time.Second), second, tor.Target{Circuit: doomed.ID})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		echo(t, conn, "hello")
		if err := doomed.Close(within(t, 10*time.Second)); err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Read on a closed circuit: %v", err)
		}
	})

	t.Run("nobody attaches", func(t *testing.T) {
		conn, err := p.attacher.Dial(within(t, 10*time.Second), "unknown.invalid", 80, tor.Target{Circuit: c.ID})
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	})
}

// Streams that are not ours go where they would have gone without us.
func TestOthersStreams(t *testing.T) {
	n := realNetwork(t)
	web(t)
	node := n.Clients[1]
	other := dial(t, node)
	waiting := func(t *testing.T) (id string, result <-chan error) {
		t.Helper()
		events := dial(t, node)
		do(t, events, "SETEVENTS STREAM")
		done := make(chan error, 1)
		go func() { done <- fetch(t, node.SocksAddr) }()
		for {
			event, err := events.NextEvent(within(t, 10*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			if s, err := controlspec.ParseStream(event.Lines[0].Text); err == nil && s.Status == "CONTROLLER_WAIT" {
				return s.ID, done
			}
		}
	}

	t.Run("left by a process that died", func(t *testing.T) {
		do(t, other, "SETCONF __LeaveStreamsUnattached=1")
		_, done := waiting(t)
		do(t, other, "SETCONF __LeaveStreamsUnattached=0")
		newPaying(t, node)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Run("new", func(t *testing.T) {
		newPaying(t, node)
		if got := conf(t, other, "__LeaveStreamsUnattached"); got != "1" {
			t.Errorf("__LeaveStreamsUnattached = %q", got)
		}
		if err := fetch(t, node.SocksAddr); err != nil {
			t.Error(err)
		}
	})
	t.Run("resolve", func(t *testing.T) {
		newPaying(t, node)
		sock, err := net.Dial("tcp", node.SocksAddr)
		if err != nil {
			t.Fatal(err)
		}
		defer sock.Close()
		sock.SetDeadline(time.Now().Add(30 * time.Second))
		const name = "name.example"
		io.WriteString(sock, "\x05\x01\x00\x05\xf0\x00\x03"+string(rune(len(name)))+name+"\x00\x00")
		answer := make([]byte, 4)
		if _, err := io.ReadFull(sock, answer); err != nil {
			t.Errorf("no answer to RESOLVE: %v", err)
		}
	})
	t.Run("a controller wants them", func(t *testing.T) {
		do(t, other, "SETCONF __LeaveStreamsUnattached=1")
		newPaying(t, node)
		id, done := waiting(t)
		select {
		case err := <-done:
			t.Errorf("the stream was attached: %v", err)
		case <-time.After(300 * time.Millisecond):
		}
		do(t, other, "SETCONF __LeaveStreamsUnattached=0") // not any more
		eventually(t, "ours again", func() bool { return conf(t, other, "__LeaveStreamsUnattached") == "1" })
		if err := fetch(t, node.SocksAddr); err != nil {
			t.Error(err)
		}
		do(t, other, "ATTACHSTREAM "+id+" 0")
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Run("a controller comes to want them", func(t *testing.T) {
		p := newPaying(t, node)
		do(t, other, "SETCONF __LeaveStreamsUnattached=1") // nothing changes
		if err := p.settings.SetBase(tor.LeaveStreamsUnattached, "1"); err != nil {
			t.Fatal(err)
		}
		id, done := waiting(t)
		if err := p.attacher.Leave(within(t, 10*time.Second)); err != nil {
			t.Fatal(err)
		}
		if got := conf(t, other, "__LeaveStreamsUnattached"); got != "1" {
			t.Errorf("__LeaveStreamsUnattached = %q after Leave, want the controller's", got)
		}
		do(t, other, "ATTACHSTREAM "+id+" 0")
		if err := <-done; err != nil {
			t.Error(err)
		}
		do(t, other, "SETCONF __LeaveStreamsUnattached=0")
	})
	if got := conf(t, other, "__LeaveStreamsUnattached"); got != "0" {
		t.Errorf("__LeaveStreamsUnattached = %q in the end", got)
	}
}

// A client whose tor restarts goes on: options, mapped names, attaching.
func TestReconnect(t *testing.T) {
	n := realNetwork(t)
	g := gateway(t, n.Relays[1])
	node := n.Clients[1]
	p := newPaying(t, node)
	reach := func() {
		t.Helper()
		c := p.build(t, n.Relays[2], n.Relays[0], n.Relays[1])
		conn, err := p.attacher.DialGateway(within(t, 10*time.Second), g, tor.Target{Circuit: c.ID})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		echo(t, conn, "hello")
	}
	reach()
	reload(t, node)
	reach()
	if err := node.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.attacher.DialGateway(within(t, 10*time.Second), g, tor.Target{Circuit: "1"}); err == nil {
		t.Error("DialGateway without a tor: no error")
	}
	if err := node.Start(within(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "connected", func() bool {
		_, err := p.attacher.Do(t.Context(), "GETINFO version")
		return err == nil
	})
	reach()
}
