//go:build eltor

package eltor_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/testnet"
	"github.com/el-tor/tops/paystream"
)

const (
	interval  = 2 * time.Second
	relayTOML = `[relay]
rate_msat = 1000
interval = "2s"
grace = "2s"
`
	clientTOML = `[client]
socks = "127.0.0.1:9150"
guards = [%q]
relays = [%q]
max_circuit_msat = 100_000
hour_msat = 10_000_000
day_msat = 10_000_000
[proxy]
listen = ["unix:%s"]
`
)

// TestWorld is tops, payer and payees, on the fork: ten rounds that all three hops
// are paid for, a circuit that nobody pays, and a hundred circuits in sequence.
func TestWorld(t *testing.T) {
	eachDialect(t, testnet.Options{Relays: 3, Exits: 1, Clients: 2}, testWorld)
}

func testWorld(t *testing.T, dialect string, network *testnet.Network) {
	w := newWorld(t, network, "payer,relay0,relay1,relay2")
	var relays []*daemon
	var path []string
	for _, node := range network.Relays {
		relays = append(relays, w.run(node, node.Name, relayTOML))
		path = append(path, node.Fingerprint)
	}
	began := time.Now()
	control := filepath.Join(w.dir, "proxy")
	client := w.run(network.Clients[0], "payer", fmt.Sprintf(clientTOML, path[0], path[2], control))
	controller := dialControl(t, control, network.Clients[0])
	controller.ok("SETEVENTS CIRC STREAM")
	until(t, "the client to know what its relays ask", time.Minute, func() bool {
		for _, fingerprint := range path {
			if !strings.Contains(strings.Join(controller.do("GETINFO desc/id/"+fingerprint), ""), "\r\nPaymentRateMsats 1000\r\n") {
				return false
			}
		}
		return true
	})
	var id string
	until(t, "a paid circuit", wait, func() bool {
		reply := controller.do("EXTENDPAIDCIRCUIT 0 " + strings.Join(path, ","))
		words := strings.Fields(reply[len(reply)-1])
		if len(words) == 3 && words[0] == "250" {
			id = words[2]
		}
		return id != ""
	})
	t.Logf("%s; %s; after %v", client.status().Carriers["client"], relays[0].status().Carriers["relay"], time.Since(began).Round(time.Millisecond))

	if ok, end := controller.built(id); !ok {
		t.Fatalf("circuit %s is not built: %q", id, end)
	}

	t.Run("TenRounds", func(t *testing.T) {
		carriesData(t, controller, network.Clients[0].SocksAddr, id)
		done := func(d *daemon) (n int) {
			for _, s := range d.status().PayStreams {
				if s.Status == paystream.StatusCompleted && s.PaidThrough == 10 && (s.Role == "payee" || s.Circuit == id) {
					n++
				}
			}
			return n
		}
		began := time.Now()
		until(t, "ten rounds of three hops", 15*interval, func() bool { return done(client) == 3 })
		for _, relay := range relays {
			until(t, "the relay to have completed", 2*interval, func() bool { return done(relay) > 0 })
			st := relay.status()
			if st.Totals.EarnedMsat < 10_000 || st.Totals.LateMsat != 0 || st.Totals.UnclaimedMsat != 0 {
				t.Errorf("a relay's books: %+v", st.Totals)
			}
			t.Logf("earned %d msat, late %d, unclaimed %d; %+v", st.Totals.EarnedMsat, st.Totals.LateMsat, st.Totals.UnclaimedMsat, *st.Native)
		}
		st := client.status()
		t.Logf("the client spent %d msat, routing %d; ten rounds in %v", st.Totals.SpentMsat, st.Totals.RoutingMsat, time.Since(began).Round(time.Millisecond))
	})

	t.Run("Unpaid", func(t *testing.T) { unpaid(t, dialect, network, relays) })

	t.Run("HundredInSequence", func(t *testing.T) { hundred(t, network, controller, path) })
}

// hundred has a controller build a hundred circuits that tops pays for, one after
// the other, and close each. The fork's relays die of a race in them now and then:
// one that does is started again, and told of.
func hundred(t *testing.T, network *testnet.Network, controller *raw, path []string) {
	began, deaths := time.Now(), 0
	var lately time.Time // when one died
	for built := 0; built < 100; {
		reply := controller.do("EXTENDPAIDCIRCUIT 0 " + strings.Join(path, ","))
		words := strings.Fields(reply[len(reply)-1])
		if len(words) != 3 || words[0] != "250" {
			t.Fatalf("after %d circuits: %q", built, reply)
		}
		ok, end := controller.built(words[2])
		if ok {
			built++
			if reply := controller.do("CLOSECIRCUIT " + words[2]); reply[0] != "250 OK\r\n" {
				t.Fatalf("CLOSECIRCUIT: %q", reply)
			}
			continue
		}
		dead := revive(t, network)
		if dead > 0 {
			deaths += dead
			lately = time.Now()
		}
		// Those beside it find out by the next circuits.
		if deaths > 5 || time.Since(lately) > 10*time.Second {
			t.Fatalf("circuit %d is not built; relays that died: %d: %q", built+1, deaths, end)
		}
	}
	t.Logf("100 circuits in %v; relays' tors that died meanwhile: %d", time.Since(began).Round(time.Millisecond), deaths)
}

// revive starts the relays again that have died, and counts them.
func revive(t *testing.T, network *testnet.Network) (dead int) {
	t.Helper()
	for _, node := range network.Relays {
		if conn, err := net.Dial("unix", node.ControlSocket); err == nil {
			conn.Close()
			continue
		}
		dead++
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := node.Restart(ctx); err != nil {
			t.Error(err)
		}
		cancel()
	}
	return dead
}

// unpaid has a client without tops build a circuit and pay nobody.
func unpaid(t *testing.T, dialect string, network *testnet.Network, relays []*daemon) {
	stranger := dialRaw(t, network.Clients[1])
	stranger.ok("SETEVENTS CIRC")
	id := extend(t, stranger, newHops(network.Relays...))
	if ok, end := stranger.built(id); !ok {
		t.Fatalf("not built: %q", end)
	}
	began := time.Now()
	event := stranger.event(4*interval, "650 CIRC "+id+" CLOSED ")
	switch dialect {
	case "A":
		if event != "" {
			t.Errorf("%q, by relays that can end none", event)
		}
		for _, relay := range relays {
			if n := relay.status().Native.Unended; n == 0 || !strings.Contains(relay.said(), "cannot end it") {
				t.Errorf("%d unpaid circuits that it could not end; it said:\n%s", n, relay.said())
			}
		}
	case "B":
		if dead := revive(t, network); dead > 0 {
			t.Fatalf("%d relays' tors have died", dead)
		}
		if !endForm.MatchString(event) || time.Since(began) < interval {
			t.Errorf("the circuit's end after %v: %q", time.Since(began), event)
		}
		t.Logf("ended %v after it was built: %q", time.Since(began).Round(time.Millisecond), event)
	}
}
