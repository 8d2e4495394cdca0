package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/testnet"
	"github.com/el-tor/tops/internal/tor"
)

const unknownRelay = "0123456789ABCDEF0123456789ABCDEF01234567"

// extendBadly gives EXTENDPAIDCIRCUIT what it must refuse.
func (w *world) extendBadly(t *testing.T) {
	w.steady(t)
	c := w.controller(t)
	authority := w.net.Authority.Fingerprint
	for _, test := range []struct{ args, want string }{
		{"", "512 Missing argument to EXTENDPAIDCIRCUIT"},
		{"0", "512 Missing argument to EXTENDPAIDCIRCUIT"},
		{"0 " + w.exit.Fingerprint, "512 A paid circuit has 2 to 8 hops, not 1"},
		{"0 rubbish,more", `512 Hop 1: "RUBBISH" is not a fingerprint`},
		{"x " + strings.Join(w.path, ","), `512 Malformed circuit id "x"`},
		{"7 " + strings.Join(w.path, ","), "552 A paid circuit is built whole"},
		{"0 " + w.path[0] + "," + w.path[0], "512 Hop 2 is the same relay"},
		{"0 " + w.path[0] + "," + unknownRelay, "551 REASON=TERMS relay " + unknownRelay + ": not in the consensus"},
		{"0 " + unknownRelay + "," + w.exit.Fingerprint, `551 No such router "` + unknownRelay},
		{"0 " + w.path[0] + "," + authority, "551 REASON=TERMS relay " + authority},
	} {
		if got := c.ask(t, strings.TrimSpace("EXTENDPAIDCIRCUIT "+test.args)); !strings.HasPrefix(got, test.want) {
			t.Errorf("EXTENDPAIDCIRCUIT %s: %q, want %q", test.args, got, test.want)
		}
	}
	for line := range strings.Lines(c.info(t, "circuit-status")) {
		// tor makes none of two hops by itself.
		if w := strings.Fields(line); len(w) > 2 && w[1] == "BUILT" && strings.Count(w[2], ",") == 1 {
			t.Errorf("a circuit was built: %s", line)
		}
	}
	if got := c.info(t, "tops/paystreams"); strings.Contains(got, "TERMS") {
		t.Errorf("a pay stream was begun: %s", got)
	}
}

// publishBadTerms has the other relays publish terms that are no good, or cost
// too much, early enough for the client to have them in badTerms.
func (w *world) publishBadTerms(t *testing.T) {
	const words = "tops:1 topsoffer:lno1zzzz topsgateway:%s:9402 %s"
	relays := w.net.Relays
	for node, contact := range map[*testnet.Node]string{
		relays[0]: fmt.Sprintf(words, relays[0].Addr, "topsrounds:500"),
		relays[1]: fmt.Sprintf(words, relays[1].Addr, "topsratemsat:999999"),
		relays[2]: fmt.Sprintf(words, relays[1].Addr, ""), // another relay's address
	} {
		conn, err := tor.Dial(t.Context(), tor.Options{Address: node.ControlSocket})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Do(t.Context(), "SETCONF ContactInfo=\""+contact+"\""); err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
}

// badTerms extends to each relay with terms that the client must refuse.
func (w *world) badTerms(t *testing.T) {
	w.steady(t)
	c := w.controller(t)
	relays := w.net.Relays
	for _, test := range []struct {
		relay *testnet.Node
		want  string
	}{
		{relays[0], "551 REASON=TERMS terms of relay " + relays[0].Fingerprint + ": topsrounds:500 is outside 2 to 120"},
		{relays[1], "551 REASON=POLICY relay " + relays[1].Fingerprint + " asks 999999 msat, above the policy's cap of 5000 msat per round"},
		{relays[2], "551 REASON=TERMS relay " + relays[2].Fingerprint + ": its terms name a gateway at " + relays[1].Addr.String()},
	} {
		line := "EXTENDPAIDCIRCUIT 0 " + w.exit.Fingerprint + "," + test.relay.Fingerprint
		var got string
		until(t, "the descriptor of "+test.relay.Name, 40*time.Second, func() bool {
			got = c.ask(t, line)
			return !strings.Contains(got, "no tops:1 in the contact line") && !strings.Contains(got, "does not hold the relay's descriptor")
		}, func() string { return got })
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %q, want %q", test.relay.Name, got, test.want)
		}
		if got := c.ask(t, "GETINFO tops/terms/"+test.relay.Fingerprint); !strings.HasPrefix(got, test.want) {
			t.Errorf("GETINFO tops/terms of %s: %q, want %q", test.relay.Name, got, test.want)
		}
	}
}

// overBudget extends circuits that a budget has no room for.
func (w *world) overBudget(t *testing.T) {
	w.restartClient(t, func(c *config.Client) { c.ControllerMsat, c.TotalMsat = 500, 0 })
	t.Cleanup(func() { w.restartClient(t, nil) })
	w.steady(t)
	c := w.controller(t)
	got := c.ask(t, "EXTENDPAIDCIRCUIT 0 "+strings.Join(w.path, ","))
	if !strings.HasPrefix(got, "551 REASON=BUDGET ") {
		t.Errorf("EXTENDPAIDCIRCUIT beyond the budget: %q, want 551 REASON=BUDGET", got)
	}
}
