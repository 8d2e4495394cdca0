package eltor_test

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/eltor/eltorsim"
	"github.com/el-tor/tops/paystream"
)

// controller is a Tor controller at the proxy of a tops.
type controller struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func dialController(t *testing.T, path string) *controller {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(40 * time.Second))
	c := &controller{t, conn, bufio.NewReader(conn)}
	c.ask("AUTHENTICATE\r\n", "250 OK")
	return c
}

// ask sends a command and wants the last line of its reply to begin so.
func (c *controller) ask(cmd, want string) string {
	c.t.Helper()
	if _, err := c.Write([]byte(cmd)); err != nil {
		c.t.Fatal(err)
	}
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("%.60q: %v", cmd, err)
		}
		if strings.HasPrefix(line, "6") || len(line) > 3 && line[3] != ' ' {
			continue
		}
		if !strings.HasPrefix(line, want) {
			c.t.Fatalf("%.60q: %q, want %q", cmd, line, want)
		}
		return strings.TrimSpace(line)
	}
}

// TestControllers: what a controller may say at the control port of a tops in front
// of El Tor's tor.
func TestControllers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var path []string
	for i, name := range []string{"guard", "middle", "exit"} {
		relay := w.relay(t, name, eltorsim.B)
		path = append(path, relay.Fingerprint)
		if i == 2 { // the others ask for nothing
			w.run(t, name, relay, w.node(t, name), short)
			serving(t, relay)
		}
	}
	bad := w.relay(t, "bad", eltorsim.B, "PaymentRateMsats -5", "PaymentBolt12Offer lno1x")
	dear := w.relay(t, "dear", eltorsim.B, "PaymentRateMsats 900000", "PaymentBolt12Offer lno1x")
	socket := filepath.Join(w.dir, "control")
	client := w.client(t, eltorsim.B)
	c := w.run(t, "client", client, w.node(t, "payer"), fmt.Sprintf(`[client]
socks = "127.0.0.1:0"
guards = [%q]
relays = [%q]
[proxy]
listen = ["unix:%s"]
upgrade_circuits = true
`, path[0], path[2], socket))
	ctl := dialController(t, socket)
	line := func(fp string, p eltor.Payload) string { return fp + " " + p.String() + "\r\n" }
	p := eltor.NewPayload()
	wrong := eltor.NewPayload()
	wrong.Preimage[0] ^= 1
	for _, x := range []struct{ say, want string }{
		{"+EXTENDPAIDCIRCUIT 7\r\n" + line(path[0], p) + line(path[1], eltor.NewPayload()) + ".\r\n", "552 A paid circuit is built whole"},
		{"+EXTENDPAIDCIRCUIT 0\r\nnonsense\r\n.\r\n", "512 "},
		{"+EXTENDPAIDCIRCUIT 0\r\n" + line(path[0], p) + ".\r\n", "512 A paid circuit has 2 to 8 hops"},
		{"+EXTENDPAIDCIRCUIT 0\r\n" + line(path[0], p) + line(relayFP, eltor.NewPayload()) + ".\r\n", "552 No such router"},
		{"+EXTENDPAIDCIRCUIT 0\r\n" + line(path[0], p) + line(path[1], wrong) + ".\r\n", "512 Hop 2: the payment id hash is not the SHA-256"},
		{"+EXTENDPAIDCIRCUIT 0\r\n" + line(path[0], p) + path[1] + " " + p.String()[1:] + "\r\n.\r\n", "512 Hop 2"},
		{"EXTENDPAIDCIRCUIT 0\r\n", "512 "},
		{"EXTENDPAIDCIRCUIT 0 " + path[0] + "," + relayFP + "\r\n", "551 REASON=TERMS"},
		{"EXTENDPAIDCIRCUIT 0 " + path[0] + "," + bad.Fingerprint + "\r\n", "551 REASON=TERMS"},
		{"EXTENDPAIDCIRCUIT 0 " + path[0] + "," + dear.Fingerprint + "\r\n", "551 REASON=POLICY"},
		{"+EXTENDPAIDCIRCUIT 0\r\n" + line(path[0], eltor.NewPayload()) + line(path[1], eltor.NewPayload()) + ".\r\n", "250 EXTENDED "},
		{"EXTENDCIRCUIT 0 " + strings.Join(path, ",") + "\r\n", "250 EXTENDED "},
		{"EXTENDPAIDCIRCUIT 0 " + strings.Join(path, ",") + "\r\n", "250 EXTENDED "},
		{"SETCONF PaymentLightningNodeConfig=\"type=phoenixd password=hunter2 default=true\"\r\n", "250 OK"},
		{"GETCONF PaymentLightningNodeConfig\r\n", "250 PaymentLightningNodeConfig=type=phoenixd default=true [redacted]"},
		{"GETINFO tops/relays\r\n", "250 OK"},
	} {
		ctl.ask(x.say, x.want)
	}
	id, _ := strings.CutPrefix(ctl.ask("EXTENDPAIDCIRCUIT 0 "+strings.Join(path, ",")+"\r\n", "250 EXTENDED "), "250 EXTENDED ")
	until(t, "its first round to be paid", 10*time.Second, func() bool {
		for _, s := range c.status(t).PayStreams {
			if s.Circuit == id && s.PaidMsat > 0 {
				return true
			}
		}
		return false
	})
	ctl.ask("GETINFO tops/circuit/"+id+"\r\n", "250 OK")
	ctl.ask("CLOSECIRCUIT "+id+"\r\n", "250 OK")
	until(t, "its pay stream to be closed", 5*time.Second, func() bool {
		for _, s := range c.status(t).PayStreams {
			if s.Circuit == id && s.Status == paystream.StatusClosed {
				return true
			}
		}
		return false
	})
	if why := client.Died(); why != "" {
		t.Errorf("tor died: %s", why)
	}
}

// TestRelayMakesNoCircuits: a controller of a relay that pays nobody hears why, and who
// does it.
func TestRelayMakesNoCircuits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	guard, exit := w.relay(t, "guard", eltorsim.B), w.relay(t, "exit", eltorsim.B)
	socket := filepath.Join(w.dir, "control")
	w.run(t, "relay", exit, w.node(t, "payee"), short+"[proxy]\nlisten = [\"unix:"+socket+"\"]\n")
	ctl := dialController(t, socket)
	ctl.ask(extendPaid(guard, exit), "551 This tops pays nobody: its configuration has no [client] table")
	lines := guard.Fingerprint + " " + eltor.NewPayload().String() + "\r\n" + exit.Fingerprint + " " + eltor.NewPayload().String() + "\r\n"
	ctl.ask("+EXTENDPAIDCIRCUIT 0\r\n"+lines+".\r\n", "551 This tops makes no circuits: its configuration has no [client] table; on El Tor's tor a \"tops proxy\" makes those")
}

// TestOpeningFee: it is paid before the relay hears of anything, and known by its
// note.
func TestOpeningFee(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	guard, exit := w.relay(t, "guard", eltorsim.A), w.relay(t, "exit", eltorsim.B)
	w.relay(t, "middle", eltorsim.B)
	relay := w.run(t, "relay", exit, w.node(t, "payee"), short+"fee_msat = 700\n")
	serving(t, exit)
	if lines := strings.Join(exit.Lines(), "\n"); !strings.Contains(lines, "PaymentHandshakeFee 700") {
		t.Errorf("published:\n%s", lines)
	}
	client := w.run(t, "client", w.client(t, eltorsim.B), w.node(t, "payer"), fmt.Sprintf("[client]\nsocks = \"127.0.0.1:0\"\nguards = [%q]\nrelays = [%q]\n", guard.Fingerprint, exit.Fingerprint))
	until(t, "the fee and two rounds to be credited", 20*time.Second, func() bool {
		for _, s := range relay.status(t).PayStreams {
			if s.Status == paystream.StatusClosed {
				t.Fatalf("it was cut: %+v", s)
			}
			if s.PaidMsat == 2700 && s.PaidThrough == 2 {
				return true
			}
		}
		return false
	})
	for _, s := range client.status(t).PayStreams {
		if s.PaidMsat < 2700 {
			t.Errorf("the payer's view: %+v", s)
		}
	}
	if u := relay.status(t).Totals.UnclaimedMsat; u != 0 {
		t.Errorf("%d msat are unclaimed", u)
	}
}

// TestOpeningFeeUnpaid: eltord's payers pay no fee; their circuit is ended when the
// grace is over.
func TestOpeningFeeUnpaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	guard, exit := w.relay(t, "guard", eltorsim.A), w.relay(t, "exit", eltorsim.B)
	relay := w.run(t, "relay", exit, w.node(t, "payee"), "[relay]\ninterval = \"1s\"\ngrace = \"1s\"\nrate_msat = 1000\nfee_msat = 700\n")
	serving(t, exit)
	ended := eltordPays(t, w.client(t, eltorsim.B), w.node(t, "payer"), 0, guard.Fingerprint, exit.Fingerprint)
	until(t, "the circuit to be ended", 10*time.Second, ended)
	if st := relay.status(t); st.Native.Refused != 1 || st.Native.Ended != 1 || len(st.PayStreams) != 0 {
		t.Errorf("%+v, %+v", st.Native, st.PayStreams)
	}
}

// TestUnpaidOnA: a relay of dialect A says what it cannot do: at the start, at the
// circuit, and in the books.
func TestUnpaidOnA(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	guard, exit := w.relay(t, "guard", eltorsim.B), w.relay(t, "exit", eltorsim.A)
	relay := w.run(t, "relay", exit, w.node(t, "payee"), "[relay]\ninterval = \"1s\"\ngrace = \"1s\"\nrate_msat = 1000\n")
	serving(t, exit)
	if c := relay.status(t).Carriers["relay"]; !strings.Contains(c, "dialect A") || !strings.Contains(w.log.String(), "dialect A: it cannot end a circuit") {
		t.Errorf("%q; the log:\n%s", c, w.log)
	}
	ended := eltordPays(t, w.client(t, eltorsim.B), w.node(t, "payer"), 1, guard.Fingerprint, exit.Fingerprint)
	until(t, "it to be told", 10*time.Second, func() bool {
		st := relay.status(t)
		return st.Native.Unended == 1 && strings.Contains(w.log.String(), "cannot end it")
	})
	if ended() {
		t.Error("dialect A has ended a circuit")
	}
	if reason := w.inBooks(t, relay); reason != eltor.ReasonUnended {
		t.Errorf("the books say %q", reason)
	}
}

// TestStaleDescriptor: a relay that asks for money by now, though its descriptor does
// not say so yet, ends the circuit, and is left alone for a while.
func TestStaleDescriptor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	guard, exit := w.relay(t, "guard", eltorsim.B), w.relay(t, "exit", eltorsim.B)
	stale := w.relay(t, "stale", eltorsim.B)
	other := w.relay(t, "other", eltorsim.B)
	other.Hide(true, false)
	w.run(t, "relay", stale, w.node(t, "payee"), "[relay]\ninterval = \"1s\"\ngrace = \"1s\"\nrate_msat = 1000\n")
	serving(t, stale)
	stale.SetLines()
	client := w.run(t, "client", w.client(t, eltorsim.B), w.node(t, "payer"), fmt.Sprintf("[client]\nsocks = \"127.0.0.1:0\"\nguards = [%q]\nrelays = [%q]\n", guard.Fingerprint, exit.Fingerprint))
	until(t, "the relay to end the first circuit", 10*time.Second, func() bool {
		return strings.Contains(w.log.String(), "closed: DESTROYED")
	})
	other.Hide(false, false)
	for range 20 {
		made, err := client.app.Pay(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(fmt.Sprint(made), stale.Fingerprint) {
			t.Fatalf("it is used again: %v", made)
		}
	}
}
