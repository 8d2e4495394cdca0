//go:build world

package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/client"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/testnet"
)

// paths has circuits chosen from what tor knows and wants: exits from their signed
// descriptors alone, and tor's options, which are changed under a running client.
func (w *apps) paths(t *testing.T) {
	w.browse(t, func(c *config.Client) { c.Relays = nil })
	friend, exits := w.net.Relays[3], w.exits
	w.offered(t, "three exits", func(list []client.RelayStatus) bool {
		share := 0.0
		for _, r := range list {
			share += r.Share
		}
		// Of what is the same in all but the price, the cheapest has the largest share.
		return len(list) == 3 && list[0].Relay == exits[0].Fingerprint && list[0].Share > list[2].Share && share > 0.999
	})
	c := w.controller(t)
	for _, node := range []*testnet.Node{friend, exits[0]} {
		until(t, "the family in the descriptor of "+node.Name, 60*time.Second, func() bool {
			return strings.Contains(c.ask(t, "GETINFO md/id/"+node.Fingerprint), "\nfamily ")
		})
	}
	guards := w.torsGuards(t)
	for range 5 {
		p := w.choose(t)
		first := slices.IndexFunc(guards, func(g string) bool {
			return g != p[2] && (p[2] != exits[0].Fingerprint || g != friend.Fingerprint) // of one family
		})
		if p[0] != guards[first] || p[1] == p[0] || p[1] == p[2] {
			t.Errorf("path %v, where tor's guards are %v", p, guards)
		}
	}
	const back = " EnforceDistinctSubnets=0" // what it is in a testing network, and not by default
	t.Cleanup(func() {
		c.Do(context.Background(), "RESETCONF ExcludeNodes ExcludeExitNodes ExitNodes EntryNodes NodeFamily"+back)
	})
	for _, tc := range []struct {
		set, reset string
		holds      func(p []string) bool
	}{
		{"ExcludeNodes=" + exits[0].Fingerprint + "," + w.net.Relays[4].Fingerprint, "ExcludeNodes", func(p []string) bool {
			return !slices.Contains(p, exits[0].Fingerprint) && !slices.Contains(p, w.net.Relays[4].Fingerprint)
		}},
		{"ExcludeExitNodes=" + exits[0].Name + "," + exits[2].Addr.String() + "/32", "ExcludeExitNodes", func(p []string) bool {
			return p[2] == exits[1].Fingerprint
		}},
		{"ExitNodes=$" + exits[2].Fingerprint + " EntryNodes=" + friend.Name, "ExitNodes EntryNodes", func(p []string) bool {
			return p[2] == exits[2].Fingerprint && p[0] == friend.Fingerprint
		}},
		{fmt.Sprintf(`NodeFamily="%s,%s,%s"`, exits[1].Name, guards[0], w.net.Relays[4].Name), "NodeFamily", func(p []string) bool {
			return p[2] != exits[1].Fingerprint || p[0] != guards[0] && p[1] != w.net.Relays[4].Fingerprint
		}},
	} {
		c.ok(t, "SETCONF "+tc.set)
		for range 5 {
			if p := w.choose(t); !tc.holds(p) {
				t.Errorf("%s: path %v", tc.set, p)
			}
		}
		c.ok(t, "RESETCONF "+tc.reset)
	}

	// Every relay of this network is in one /16, and tor is told here to mind that.
	c.ok(t, "SETCONF EnforceDistinctSubnets=1")
	if _, err := w.client.app.Pay(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "is of its network") {
		t.Errorf("a path through one network: %v", err)
	}
	c.ok(t, "SETCONF"+back)

	// Two relays say that they are one operator's.
	c.ok(t, "SETCONF ExitNodes="+exits[0].Fingerprint)
	for range 15 {
		if p := w.choose(t); slices.Contains(p[:2], friend.Fingerprint) {
			t.Fatalf("path %v has two relays of one family", p)
		}
	}
	c.ok(t, "RESETCONF ExitNodes")
}

// relate has two relays say that they are of one family. It takes a consensus or two
// until clients know.
func (w *apps) relate(t *testing.T, a, b *testnet.Node) {
	for _, node := range []*testnet.Node{a, b} {
		w.setconf(t, node, "MyFamily="+a.Fingerprint+","+b.Fingerprint)
	}
}

// choose is the path that a circuit for an app would take now.
func (w *apps) choose(t *testing.T) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got, err := w.client.app.Pay(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	made := got.(map[string]any)
	w.controller(t).closeCircuit(made["circuit"].(string))
	return made["path"].([]string)
}

// offered waits until the list of relays is as it should be.
func (w *apps) offered(t *testing.T, what string, ok func([]client.RelayStatus) bool) {
	t.Helper()
	var last []client.RelayStatus
	until(t, what, 60*time.Second, func() bool {
		var err error
		if last, err = app.AskRelays(t.Context(), w.client.cfg); err != nil {
			t.Fatal(err)
		}
		return ok(last)
	}, func() string { return fmt.Sprintf("%+v", last) })
}

// torsGuards are the guards in tor's own order.
func (w *apps) torsGuards(t *testing.T) (guards []string) {
	t.Helper()
	for line := range strings.Lines(w.controller(t).info(t, "entry-guards")) {
		if fp, _, ok := strings.Cut(strings.TrimPrefix(line, "$"), "~"); ok && strings.HasSuffix(strings.TrimSpace(line), " up") {
			guards = append(guards, fp)
		}
	}
	for line := range strings.Lines(w.controller(t).info(t, "entry-guards")) {
		if fp, _, ok := strings.Cut(strings.TrimPrefix(line, "$"), "~"); ok && strings.Contains(line, "never-connected") {
			guards = append(guards, fp)
		}
	}
	return guards
}
