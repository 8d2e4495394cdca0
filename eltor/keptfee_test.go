package eltor_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/eltor/eltorsim"
	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/paystream"
)

// feeWorld is a client of ours and an exit of ours that asks an opening fee of 700
// msat. The other relays ask for nothing. Apps have no circuit, so that only controllers'
// are there.
type feeWorld struct {
	*world
	guard, middle, dead, exit *eltorsim.Tor
	tor                       *eltorsim.Tor // the client's
	relay, client             *tops
	node, socket              string // the payer's node, and where its controllers are
}

func newFeeWorld(t *testing.T) *feeWorld {
	t.Helper()
	w := &feeWorld{world: newWorld(t)}
	w.guard, w.middle = w.world.relay(t, "guard", eltorsim.B), w.world.relay(t, "middle", eltorsim.A)
	w.dead, w.exit = w.world.relay(t, "dead", eltorsim.B), w.world.relay(t, "exit", eltorsim.B)
	w.dead.Close()
	w.relay = w.run(t, "relay", w.exit, w.world.node(t, "payee"), short+"fee_msat = 700\n")
	serving(t, w.exit)
	w.tor, w.node, w.socket = w.world.client(t, eltorsim.B), w.world.node(t, "payer"), filepath.Join(w.dir, "control")
	return w
}

// roles is the client's part of its configuration.
func (w *feeWorld) roles() string {
	return fmt.Sprintf("[client]\nsocks = \"127.0.0.1:0\"\nrelays = [%q]\n[proxy]\nlisten = [\"unix:%s\"]\n", relayFP, w.socket)
}

// build has the client make a circuit, and returns its id.
func (w *feeWorld) build(t *testing.T, path ...*eltorsim.Tor) string {
	t.Helper()
	return strings.TrimPrefix(dialController(t, w.socket).ask(extendPaid(path...), "250 EXTENDED "), "250 EXTENDED ")
}

func extendPaid(path ...*eltorsim.Tor) string {
	var hops []string
	for _, r := range path {
		hops = append(hops, r.Fingerprint)
	}
	return "EXTENDPAIDCIRCUIT 0 " + strings.Join(hops, ",") + "\r\n"
}

// of is the client's pay stream with the exit on a circuit; "" is none.
func (w *feeWorld) of(t *testing.T, circuit string) (found app.PayStream) {
	t.Helper()
	for _, s := range w.client.status(t).PayStreams {
		if s.Role == "payer" && s.Relay == w.exit.Fingerprint && s.Circuit == circuit {
			found = s
		}
	}
	return found
}

// kept waits until an opening fee is kept, and returns its pay stream.
func (w *feeWorld) kept(t *testing.T) (found app.PayStream) {
	t.Helper()
	until(t, "the fee to be kept", 10*time.Second, func() bool { found = w.of(t, ""); return found.PaidMsat == 700 })
	if found.Status != paystream.StatusIntent {
		t.Errorf("what is kept: %+v", found)
	}
	return found
}

// served waits until the fee and two rounds of a circuit are credited, and returns its
// pay stream.
func (w *feeWorld) served(t *testing.T, circuit string) (found app.PayStream) {
	t.Helper()
	until(t, "two rounds of the circuit to be credited", 20*time.Second, func() bool {
		found = w.of(t, circuit)
		for _, s := range w.relay.status(t).PayStreams {
			if s.Handle == found.Handle && s.PaidMsat == 2700 && s.PaidThrough == 2 {
				return true
			}
		}
		return false
	})
	return found
}

// TestKeptFee: the opening fee of a circuit that could not be built pays for the next
// one, after a restart too, and that one brings the same payload.
func TestKeptFee(t *testing.T) {
	t.Parallel()
	w := newFeeWorld(t)
	start := func() { w.client = w.run(t, "client", w.tor, w.node, w.roles()) }
	start()
	w.build(t, w.dead, w.middle, w.exit)
	kept := w.kept(t)
	w.client.stop()
	start()
	id := w.build(t, w.guard, w.middle, w.exit)
	if s := w.served(t, id); s.Handle != kept.Handle {
		t.Errorf("want the pay stream %s on circuit %s: %+v", kept.Handle, id, s)
	}
	if u := w.relay.status(t).Totals.UnclaimedMsat; u != 0 {
		t.Errorf("%d msat were paid for nothing", u)
	}

	// What the relay has heard of it takes no second time: that is not kept.
	id = w.build(t, w.guard, w.exit, w.dead)
	until(t, "the fee of a circuit that failed behind the relay to be lost", 10*time.Second, func() bool {
		s := w.of(t, id)
		return s.Status == paystream.StatusClosed && s.Reason == paystream.ReasonCircuit && s.PaidMsat == 700
	})
	lost := w.of(t, id).Handle
	id = w.build(t, w.guard, w.middle, w.exit)
	until(t, "the fee of the next circuit to be paid", 10*time.Second, func() bool { return w.of(t, id).PaidMsat >= 700 })
	if s := w.of(t, id); s.Handle == kept.Handle || s.Handle == lost {
		t.Errorf("a payload is used twice: %+v", s)
	}
}
