//go:build eltor

package eltor_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/testnet"
	"golang.org/x/net/proxy"
)

const wait = 10 * time.Second

// A hop of a circuit, and what is sent to it.
type hop struct {
	relay   *testnet.Node
	payload string
}

func newHops(relays ...*testnet.Node) []hop {
	hops := make([]hop, len(relays))
	for i, relay := range relays {
		payload := make([]byte, 384)
		rand.Read(payload)
		hash := sha256.Sum256(payload[32:64]) // of the preimage behind it
		copy(payload, hash[:])
		hops[i] = hop{relay, hex.EncodeToString(payload)}
	}
	return hops
}

// extend asks for a paid circuit and returns its id.
func extend(t *testing.T, client *raw, hops []hop) string {
	t.Helper()
	reply := client.do(extendCommand(hops))
	words := strings.Fields(reply[len(reply)-1])
	if len(words) != 3 || words[0] != "250" || words[1] != "EXTENDED" {
		t.Fatalf("answer to EXTENDPAIDCIRCUIT: %q", reply)
	}
	return words[2]
}

func extendCommand(hops []hop) string {
	var b strings.Builder
	b.WriteString("+EXTENDPAIDCIRCUIT 0\r\n")
	for _, hop := range hops {
		fmt.Fprintf(&b, "%s %s\r\n", hop.relay.Fingerprint, hop.payload)
	}
	b.WriteString(".")
	return b.String()
}

var eventForm = map[string]*regexp.Regexp{
	"A": regexp.MustCompile(`^650 EVENT_PAYMENT_ID_HASH_RECEIVED (0) ([0-9a-f]{768})\r\n$`),
	"B": regexp.MustCompile(`^650 EVENT_PAYMENT_ID_HASH_RECEIVED P_CIRC_ID=([1-9][0-9]*) N_CIRC_ID=0 PAYMENT_HASH=([0-9a-f]{768})\r\n$`),
}

var (
	listForm = regexp.MustCompile(`^250-OR_CIRCUIT Nickname=\S+ N_CircuitID=\d+ P_CircuitID=(\d+) State=OPEN Purpose=OR MarkedForClose=false GlobalListIdx=\d+ P_ChanID=\d+ N_ChanID=\d+ PaymentHash=none\r\n$`)
	endForm  = regexp.MustCompile(`^650 CIRC \d+ CLOSED .*REASON=DESTROYED.*\r\n$`)
)

// TestWire is what package eltor takes for granted of the fork.
func TestWire(t *testing.T) {
	eachDialect(t, testnet.Options{Relays: 4, Exits: 1, Clients: 1, Torrc: torrc}, testWire)
}

func testWire(t *testing.T, dialect string, network *testnet.Network) {
	client := dialRaw(t, network.Clients[0])
	client.ok("SETEVENTS CIRC STREAM")
	var relays []*raw
	for _, node := range network.Relays {
		relay := dialRaw(t, node)
		relay.ok("SETEVENTS PAYMENT_ID_HASH_RECEIVED")
		relays = append(relays, relay)
	}
	if names := strings.Join(client.do("GETINFO events/names"), ""); !strings.Contains(names, " PAYMENT_ID_HASH_RECEIVED") {
		t.Errorf("events/names: %q", names)
	}
	probe := map[string]string{
		"A": "510 Unrecognized command \"TEARDOWNCIRCUIT\"\r\n",
		"B": "512 Bad arguments to TEARDOWNCIRCUIT: Need at least 1 argument(s)\r\n",
	}
	if got := relays[0].do("TEARDOWNCIRCUIT"); len(got) != 1 || got[0] != probe[dialect] {
		t.Errorf("TEARDOWNCIRCUIT without an argument: %q, want %q", got, probe[dialect])
	}

	t.Run("Terms", func(t *testing.T) {
		got := strings.Join(client.do("GETINFO desc/id/"+network.Relays[1].Fingerprint), "")
		want := "\r\nPaymentBolt12Offer lno1relay1\r\nPaymentRateMsats 1000\r\nPaymentInterval 2\r\nPaymentInvervalRounds 10\r\nntor-onion-key "
		if !strings.Contains(got, want) {
			t.Errorf("descriptor without %q:\n%s", want, got)
		}
	})

	t.Run("SetTerms", func(t *testing.T) {
		relays[2].ok("SETCONF PaymentRateMsats=2000 PaymentInterval=3 PaymentInvervalRounds=9 PaymentHandshakeFee=0 PaymentBolt12Offer=lno1other PaymentBip353 ContactInfo=\"lab topseltor:0123\"")
		began := time.Now()
		want := "\r\nPaymentBolt12Offer lno1other\r\nPaymentRateMsats 2000\r\nPaymentInterval 3\r\nPaymentInvervalRounds 9\r\nntor-onion-key "
		authority := dialRaw(t, network.Authority)
		for _, who := range []*raw{authority, client} {
			for {
				got := strings.Join(who.do("GETINFO desc/id/"+network.Relays[2].Fingerprint), "")
				if strings.Contains(got, want) {
					break
				}
				if time.Since(began) > 40*time.Second {
					t.Fatalf("after 40 s:\n%s", got)
				}
				time.Sleep(50 * time.Millisecond)
			}
			t.Logf("there after %v", time.Since(began).Round(10*time.Millisecond))
		}
		got := relays[2].do("GETCONF PaymentRateMsats PaymentBip353 PaymentHandshakeFee")
		if want := []string{"250-PaymentRateMsats=2000\r\n", "250-PaymentBip353\r\n", "250 PaymentHandshakeFee=0\r\n"}; !slices.Equal(got, want) {
			t.Errorf("GETCONF: %q, want %q", got, want)
		}
		select {
		case e := <-relays[2].events:
			t.Errorf("an event without a circuit: %q", e)
		default:
		}
	})

	hops := newHops(network.Relays[0], network.Relays[1], network.Relays[3])
	id := extend(t, client, hops)
	for _, status := range []string{"LAUNCHED", "EXTENDED", "EXTENDED", "EXTENDED", "BUILT"} {
		if got := client.event(wait, "650 CIRC "+id+" "); !strings.HasPrefix(got, "650 CIRC "+id+" "+status+" ") {
			t.Fatalf("event %q, want %s", got, status)
		}
	}
	ids := make([]string, 3)
	for i, relay := range []*raw{relays[0], relays[1], relays[3]} {
		event := relay.event(wait, "PAYMENT_ID_HASH_RECEIVED")
		m := eventForm[dialect].FindStringSubmatch(event)
		if m == nil || m[2] != hops[i].payload {
			t.Fatalf("hop %d: event %q with payload %s", i+1, event, hops[i].payload)
		}
		ids[i] = m[1]
	}

	t.Run("Data", func(t *testing.T) { carriesData(t, client, network.Clients[0].SocksAddr, id) })

	if dialect == "B" {
		t.Run("Teardown", func(t *testing.T) {
			list := relays[1].do("LOGALLCIRCUITS")
			var found int
			for _, line := range list {
				if m := listForm.FindStringSubmatch(line); m != nil && m[1] == ids[1] {
					found++
				}
			}
			if found != 1 {
				t.Errorf("circuit %s is there %d times in %q", ids[1], found, list)
			}
			want := "250 OK SPEC-COMPLIANT TEARDOWN: DESTROY cells sent for circuit " + ids[1] + "\r\n"
			if got := relays[1].do("TEARDOWNCIRCUIT " + ids[1]); len(got) != 1 || got[0] != want {
				t.Errorf("answer %q, want %q", got, want)
			}
			if got := client.event(wait, "650 CIRC "+id+" "); !endForm.MatchString(got) {
				t.Errorf("the client hears %q", got)
			}
			if got := relays[1].do("TEARDOWNCIRCUIT " + ids[1]); got[0] != "552 Unknown circuit \""+ids[1]+"\"\r\n" {
				t.Errorf("a second time: %q", got)
			}
		})
	}
	t.Run("Plain", func(t *testing.T) {
		reply := client.do("EXTENDCIRCUIT 0 " + network.Relays[0].Fingerprint + "," + network.Relays[1].Fingerprint)
		words := strings.Fields(reply[0])
		if len(words) != 3 || words[0] != "250" {
			t.Fatalf("answer %q", reply)
		}
		event := client.event(wait, "650 CIRC "+words[2]+" FAILED ")
		if !strings.Contains(event, " REASON=DESTROYED REMOTE_REASON=TORPROTOCOL") {
			t.Errorf("ends so: %q", event)
		}
	})
	t.Run("OneHop", func(t *testing.T) {
		id := extend(t, client, newHops(network.Relays[1]))
		if ok, end := client.built(id); !ok {
			t.Errorf("not built: %q", end)
		}
		if event := relays[1].event(wait, "PAYMENT"); !eventForm[dialect].MatchString(event) {
			t.Errorf("the relay hears %q", event)
		}
	})
	t.Run("Sequence", func(t *testing.T) {
		began := time.Now()
		for i := range 20 {
			hops := newHops(network.Relays[i%3], network.Relays[(i+1)%3], network.Relays[3])
			id := extend(t, client, hops)
			if ok, end := client.built(id); !ok {
				t.Fatalf("circuit %d of 20 is not built; relays that died of the fork's race (doc.go): %d: %q", i+1, revive(t, network), end)
			}
			for n, j := range []int{i % 3, (i + 1) % 3, 3} {
				event := relays[j].event(wait, "PAYMENT_ID_HASH_RECEIVED", hops[n].payload)
				if !eventForm[dialect].MatchString(event) {
					t.Errorf("circuit %d of 20, hop %d: event %q", i+1, n+1, event)
				}
			}
			if got := client.do("CLOSECIRCUIT " + id); got[0] != "250 OK\r\n" {
				t.Fatalf("CLOSECIRCUIT: %q", got)
			}
		}
		t.Logf("20 circuits in %v", time.Since(began).Round(time.Millisecond))
	})
	t.Run("Kills", func(t *testing.T) { kills(t, network) })
}

// carriesData fetches through the circuit, over tor's own SOCKS port.
func carriesData(t *testing.T, client *raw, socks, circuit string) {
	server := netip.MustParseAddr("198.51.100.7")
	outside, err := testnet.NewOutside(server)
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	ln, err := outside.Listen("tcp", net.JoinHostPort(server.String(), "80"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	want := make([]byte, 1_000_000)
	rand.Read(want)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conn.Write(want)
			conn.Close()
		}
	}()
	client.ok("SETCONF __LeaveStreamsUnattached=1")
	defer client.ok("SETCONF __LeaveStreamsUnattached=0")
	dialer, err := proxy.SOCKS5("tcp", socks, nil, proxy.Direct)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	got := make(chan []byte, 1)
	defer func() { // also after a failure
		cancel()
		for range got {
		}
	}()
	go func() {
		defer close(got)
		conn, err := dialer.(proxy.ContextDialer).DialContext(ctx, "tcp", ln.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		all, err := io.ReadAll(conn)
		if err != nil {
			t.Error(err)
		}
		got <- all
	}()
	event := client.event(wait, "650 STREAM ", " CONTROLLER_WAIT ", ln.Addr().String())
	words := strings.Fields(event)
	if len(words) < 4 {
		t.Fatalf("no stream that waits: %q", event)
	}
	if reply := client.do("ATTACHSTREAM " + words[2] + " " + circuit); reply[0] != "250 OK\r\n" {
		t.Fatalf("ATTACHSTREAM: %q", reply)
	}
	if all := <-got; string(all) != string(want) {
		t.Errorf("%d bytes came, not the %d that were sent", len(all), len(want))
	}
}

// kills gives the fork what must never reach it.
func kills(t *testing.T, network *testnet.Network) {
	good := newHops(network.Relays[0], network.Relays[1])
	unknown := newHops(&testnet.Node{Fingerprint: strings.Repeat("A1", 20)}, network.Relays[1])
	short := newHops(network.Relays[0], network.Relays[1])
	for i := range short {
		short[i].payload = short[i].payload[:100]
	}
	for name, command := range map[string]string{
		"unknown fingerprint": extendCommand(unknown),
		"no valid line":       extendCommand(short),
		"unknown circuit":     strings.Replace(extendCommand(good), "CIRCUIT 0", "CIRCUIT 424242", 1),
		"no circuit id":       strings.Replace(extendCommand(good), "CIRCUIT 0", "CIRCUIT x", 1),
	} {
		t.Run(name, func(t *testing.T) {
			client := dialRaw(t, network.Clients[0])
			t.Logf("answer: %q", client.do(command))
			for deadline := time.Now().Add(15 * time.Second); ; {
				reply := client.do("GETINFO version")
				if last := reply[len(reply)-1]; last == "EOF" || strings.HasPrefix(last, "write") {
					break
				}
				if time.Now().After(deadline) {
					t.Errorf("tor lives: %q", reply)
					return
				}
			}
			ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
			defer cancel()
			if err := network.Clients[0].Restart(ctx); err != nil {
				t.Fatal(err)
			}
		})
	}
}
