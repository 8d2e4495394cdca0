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

// TestKeptFee: the opening fee of a circuit that could not be built pays for the next
// one, after a restart too, and that one brings the same payload.
func TestKeptFee(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	guard, middle, free := w.relay(t, "guard", eltorsim.B), w.relay(t, "middle", eltorsim.A), w.relay(t, "free", eltorsim.B)
	dead, exit := w.relay(t, "dead", eltorsim.B), w.relay(t, "exit", eltorsim.B)
	dead.Close()
	relay := w.run(t, "relay", exit, w.node(t, "payee"), short+"fee_msat = 700\n")
	serving(t, exit)
	tor, node, socket := w.client(t, eltorsim.B), w.node(t, "payer"), filepath.Join(w.dir, "control")
	start := func() *tops {
		return w.run(t, "client", tor, node, fmt.Sprintf("[client]\nsocks = \"127.0.0.1:0\"\nguards = [%q]\nrelays = [%q]\n[proxy]\nlisten = [\"unix:%s\"]\n",
			guard.Fingerprint, free.Fingerprint, socket))
	}
	client := start()
	// of is the pay stream with the exit on one of the client's circuits; "" is none.
	of := func(circuit string) (found app.PayStream) {
		for _, s := range client.status(t).PayStreams {
			if s.Role == "payer" && s.Relay == exit.Fingerprint && s.Circuit == circuit {
				found = s
			}
		}
		return found
	}
	build := func(a, b, c *eltorsim.Tor) string {
		path := strings.Join([]string{a.Fingerprint, b.Fingerprint, c.Fingerprint}, ",")
		return strings.TrimPrefix(dialController(t, socket).ask("EXTENDPAIDCIRCUIT 0 "+path+"\r\n", "250 EXTENDED "), "250 EXTENDED ")
	}

	build(dead, middle, exit)
	var kept app.PayStream
	until(t, "the fee to be kept", 10*time.Second, func() bool { kept = of(""); return kept.PaidMsat == 700 })
	if kept.Status != paystream.StatusIntent {
		t.Errorf("what is kept: %+v", kept)
	}
	client.stop()
	client = start()
	id := build(guard, middle, exit)
	until(t, "two rounds to be credited to what was kept", 20*time.Second, func() bool {
		for _, s := range relay.status(t).PayStreams {
			if s.Handle == kept.Handle && s.PaidMsat == 2700 && s.PaidThrough == 2 {
				return true
			}
		}
		return false
	})
	if s := of(id); s.Handle != kept.Handle {
		t.Errorf("want the pay stream %s on circuit %s: %+v", kept.Handle, id, s)
	}
	if u := relay.status(t).Totals.UnclaimedMsat; u != 0 {
		t.Errorf("%d msat were paid for nothing", u)
	}

	// What the relay has heard of it takes no second time: that is not kept.
	id = build(guard, exit, dead)
	until(t, "the fee of a circuit that failed behind the relay to be lost", 10*time.Second, func() bool {
		s := of(id)
		return s.Status == paystream.StatusClosed && s.Reason == paystream.ReasonCircuit && s.PaidMsat == 700
	})
	lost := of(id).Handle
	id = build(guard, middle, exit)
	until(t, "the fee of the next circuit to be paid", 10*time.Second, func() bool { return of(id).PaidMsat >= 700 })
	if s := of(id); s.Handle == kept.Handle || s.Handle == lost {
		t.Errorf("a payload is used twice: %+v", s)
	}
}
