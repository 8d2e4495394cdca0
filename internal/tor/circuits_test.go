//go:build linux

package tor_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/el-tor/tops/internal/tor"
)

func TestCircuits(t *testing.T) {
	n := realNetwork(t)
	circuits := tor.NewCircuits()
	start(t, n.Clients[0], circuits)
	path := []string{n.Relays[1].Fingerprint, n.Authority.Fingerprint, n.Relays[0].Fingerprint}

	c, err := circuits.Build(within(t, 20*time.Second), path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(path, c.Path()); diff != "" {
		t.Errorf("path (-want +got):\n%s", diff)
	}

	t.Run("adopted by another", func(t *testing.T) {
		others := tor.NewCircuits()
		start(t, n.Clients[0], others)
		adopted, err := others.Adopt(within(t, 10*time.Second), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		<-adopted.Built()
		if diff := cmp.Diff(path, adopted.Path()); diff != "" {
			t.Errorf("path (-want +got):\n%s", diff)
		}
		if err := c.Close(within(t, 10*time.Second)); err != nil {
			t.Fatal(err)
		}
		<-adopted.Done()
		for _, circuit := range []*tor.Circuit{c, adopted} {
			var end *tor.CircuitError
			if !errors.As(circuit.Err(), &end) || end.Status != "CLOSED" || end.Reason != "REQUESTED" {
				t.Errorf("ended by %v, want CLOSED REQUESTED", circuit.Err())
			}
		}
		if err := c.Close(within(t, 10*time.Second)); err != nil {
			t.Errorf("closing it again: %v", err)
		}
		if _, err := others.Adopt(within(t, 10*time.Second), c.ID); err == nil {
			t.Error("adopting a circuit that has ended: no error")
		}
	})
	t.Run("bad paths", func(t *testing.T) {
		unknown := strings.Repeat("0", 40)
		for want, path := range map[string][]string{
			"needs a path":              nil,
			"not a relay's fingerprint": {"relay0"},
			"No such router":            {path[0], unknown},
		} {
			if _, err := circuits.Build(within(t, 10*time.Second), path); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Build(%q): error %v, want %q", path, err, want)
			}
		}
	})
	t.Run("a relay that is gone", func(t *testing.T) {
		gone := n.Relays[1]
		if err := gone.Stop(); err != nil {
			t.Fatal(err)
		}
		_, err := circuits.Build(within(t, 20*time.Second), []string{n.Relays[0].Fingerprint, n.Authority.Fingerprint, gone.Fingerprint})
		var end *tor.CircuitError
		if !errors.As(err, &end) || end.Reason != "DESTROYED" {
			t.Errorf("error %v, want DESTROYED", err)
		}
		if err := gone.Start(within(t, 30*time.Second)); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("restart of tor", func(t *testing.T) {
		client := n.Clients[1]
		circuits := tor.NewCircuits()
		start(t, client, circuits)
		c, err := circuits.Build(within(t, 20*time.Second), path)
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := client.Start(within(t, 30*time.Second)); err != nil {
			t.Fatal(err)
		}
		select {
		case <-c.Done():
		case <-within(t, 15*time.Second).Done():
			t.Fatal("the circuit has no end")
		}
		if !errors.Is(c.Err(), tor.ErrCircuitGone) {
			t.Errorf("ended by %v, want ErrCircuitGone", c.Err())
		}
		if _, err := circuits.Build(within(t, 20*time.Second), path); err != nil {
			t.Errorf("Build after a restart: %v", err)
		}
	})
}
