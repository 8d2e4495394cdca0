//go:build linux

package tor_test

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/tor"
)

// A wire is a unix socket that leads to another, until it is cut.
type wire struct {
	path string

	mu    sync.Mutex
	socks []net.Conn
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	w := &wire{path: filepath.Join(t.TempDir(), "wire")}
	ln, err := net.Listen("unix", w.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close(); w.cut() })
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("unix", to)
			if err != nil {
				near.Close()
				continue
			}
			w.mu.Lock()
			w.socks = append(w.socks, near, far)
			w.mu.Unlock()
			go func() { io.Copy(near, far); near.Close() }()
			go func() { io.Copy(far, near); far.Close() }()
		}
	}()
	return w
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, sock := range w.socks {
		sock.Close()
	}
	w.socks = nil
}

// Circuits, and connections through them, outlive the control connection.
func TestControlConnectionLost(t *testing.T) {
	n := realNetwork(t)
	g := gateway(t, n.Relays[0])
	w := newWire(t, n.Clients[0].ControlSocket)
	settings := tor.NewSettings(tor.SettingsState{}, nil, func(err error) { t.Error(err) })
	circuits, attacher := tor.NewCircuits(), tor.NewAttacher(settings)
	states := make(chan error, 10)
	client, err := tor.Start(within(t, 20*time.Second), tor.Config{
		Options:  tor.Options{Address: w.path},
		Handlers: []tor.Handler{settings, circuits, attacher},
		State:    func(err error) { states <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := <-states; err != nil {
		t.Fatalf("first state %v", err)
	}
	p := paying{client, settings, circuits, attacher}
	c := p.build(t, n.Relays[2], n.Relays[1], n.Relays[0])
	target := tor.Target{Circuit: c.ID}
	conn, err := attacher.DialGateway(within(t, 10*time.Second), g, target)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	echo(t, conn, "before")

	w.cut()
	if err := <-states; !errors.Is(err, tor.ErrClosed) {
		t.Errorf("state %v, want ErrClosed", err)
	}
	if err := <-states; err != nil {
		t.Fatalf("state %v, want connected", err)
	}
	if err := c.Err(); err != nil {
		t.Errorf("the circuit ended: %v", err)
	}
	echo(t, conn, "after")
	again, err := attacher.DialGateway(within(t, 10*time.Second), g, target)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	echo(t, again, "again")
	if err := attacher.Leave(within(t, 10*time.Second)); err != nil {
		t.Error(err)
	}
}

func TestStartErrors(t *testing.T) {
	refusing := fakeTor(t, open(func(line string) string { return "552 Unrecognized event\r\n" }))
	for _, address := range []string{refusing, "/nonexistent", "127.0.0.1:1"} {
		if c, err := tor.Start(within(t, 10*time.Second), tor.Config{Options: tor.Options{Address: address}}); err == nil {
			c.Close()
			t.Errorf("Start(%q): no error", address)
		}
	}
}
