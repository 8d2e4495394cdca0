package e2e_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/relay"
	"github.com/el-tor/tops/internal/testnet"
	"github.com/el-tor/tops/internal/tor"
	"github.com/google/go-cmp/cmp"
)

// What tops sets.
var (
	relayOptions  = []string{"ContactInfo", "ExitPolicy", "ExitPolicyRejectLocalInterfaces", "ExitPolicyRejectPrivate", "ExitRelay"}
	clientOptions = []string{"FetchUselessDescriptors", "__LeaveStreamsUnattached"}
)

// options are lines of GETCONF, by the option's name.
type options map[string][]string

func (w *world) options(t *testing.T, n *testnet.Node, names []string) options {
	t.Helper()
	conn, err := tor.Dial(t.Context(), tor.Options{Address: n.ControlSocket})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reply, err := conn.Do(t.Context(), "GETCONF "+strings.Join(names, " "))
	if err != nil {
		t.Fatal(err)
	}
	o := options{}
	for _, l := range reply.Lines {
		key, value, _ := strings.Cut(l.Text, "=")
		o[key] = append(o[key], value)
	}
	return o
}

// undo: what tops sets is set again after a RELOAD, and put back by `tops relay
// undo`; torrc is never touched.
func (w *world) undo(t *testing.T) {
	torrc, err := os.ReadFile(filepath.Join(w.exit.Dir, "torrc"))
	if err != nil {
		t.Fatal(err)
	}
	during := w.options(t, w.exit, relayOptions)
	if got := slices.Sorted(maps.Keys(during)); !slices.Equal(got, relayOptions) {
		t.Fatalf("GETCONF answers %v", got)
	}
	for _, o := range []string{"ContactInfo", "ExitPolicy", "ExitRelay"} { // a testing network has the others by default
		if slices.Equal(during[o], w.base[o]) {
			t.Errorf("%s is what it was before the relay started: %q", o, during[o])
		}
	}
	user := w.net.Clients[0]
	userDuring := w.options(t, user, clientOptions)
	for _, n := range []*testnet.Node{w.exit, user} {
		// It takes the options away, and they come back; tops may be quicker than we
		// look, so the log has to say that it was.
		reloads := func() int {
			text, _ := os.ReadFile(n.LogPath)
			return strings.Count(string(text), "Received reload signal (hup)")
		}
		before := reloads()
		if err := n.Reload(); err != nil {
			t.Fatal(err)
		}
		until(t, "the RELOAD of "+n.Name, 10*time.Second, func() bool { return reloads() > before })
	}
	again := func() string {
		return cmp.Diff(during, w.options(t, w.exit, relayOptions)) + cmp.Diff(userDuring, w.options(t, user, clientOptions))
	}
	until(t, "the options to be set again", 10*time.Second, func() bool { return again() == "" }, again)

	// A clean end: the client puts its options back, the relay keeps them.
	w.client.stop(t)
	w.relay.stop(t)
	want := options{"FetchUselessDescriptors": {"0"}, "__LeaveStreamsUnattached": {"0"}}
	if diff := cmp.Diff(want, w.options(t, user, clientOptions)); diff != "" {
		t.Errorf("the client's tor after its end (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(during, w.options(t, w.exit, relayOptions)); diff != "" {
		t.Errorf("a relay keeps its options over a restart (-want +got):\n%s", diff)
	}
	restored, err := relay.Undo(t.Context(), tor.Options{Address: w.exit.ControlSocket}, app.RelayStateFile(w.relay.cfg))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(restored)
	if !slices.Equal(restored, relayOptions) {
		t.Errorf("undo put back %v, want %v", restored, relayOptions)
	}
	if diff := cmp.Diff(w.base, w.options(t, w.exit, relayOptions)); diff != "" {
		t.Errorf("after undo (-want +got):\n%s", diff)
	}
	if twice, err := relay.Undo(t.Context(), tor.Options{Address: w.exit.ControlSocket}, app.RelayStateFile(w.relay.cfg)); err != nil || len(twice) != 0 {
		t.Errorf("undo again: %v, %v", twice, err)
	}
	after, err := os.ReadFile(filepath.Join(w.exit.Dir, "torrc"))
	if err != nil || string(after) != string(torrc) {
		t.Errorf("torrc was changed: %v", err)
	}
}
