package eltor_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/eltor/eltorsim"
	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
)

// TestKilledPayer kills a client between an opening fee and the circuit that it is
// for. The next circuit brings what the relay has not heard of, and nothing that it
// has, or may have; and the books know of each fee.
func TestKilledPayer(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		until func(*testing.T, *feeWorld) // the moment of the kill
		after func(*testing.T, *feeWorld) // what goes on without it
		kept  bool                        // the fee; or it is lost
	}{
		"while the fee is on its way": {
			until: func(t *testing.T, w *feeWorld) {
				w.faults(t, clnsim.Faults{StuckRate: 1, StuckFor: 2 * time.Second})
				w.ask(t, w.guard, w.middle, w.exit)
				until(t, "the fee to be on its way", 10*time.Second, func() bool { return w.nodes.Balances()["payer"].HeldMsat >= 700 })
			},
			after: func(t *testing.T, w *feeWorld) { w.faults(t, clnsim.Faults{}) },
			kept:  true,
		},
		"while another hop's fee is not paid": {
			until: func(t *testing.T, w *feeWorld) {
				second := w.world.relay(t, "second", eltorsim.B)
				w.run(t, "second", second, w.world.node(t, "second"), short+"fee_msat = 700\n")
				serving(t, second)
				if err := w.nodes.SetOffline("second", true); err != nil {
					t.Fatal(err)
				}
				w.ask(t, w.guard, second, w.exit)
				until(t, "the fee to be in the books", 10*time.Second, func() bool { return w.only(t).PaidMsat == 700 })
			},
			kept: true,
		},
		"when tor had not begun the circuit": {
			until: func(t *testing.T, w *feeWorld) {
				w.build(t, w.dead, w.middle, w.exit)
				w.kept(t)
			},
			kept: true,
		},
		"when tor had heard, before its answer": {
			until: func(t *testing.T, w *feeWorld) {
				w.tor.Mute(true)
				w.ask(t, w.guard, w.middle, w.exit)
				until(t, "the relay to hear of it", 10*time.Second, func() bool { return w.exit.Circuits() == 1 })
			},
			after: func(t *testing.T, w *feeWorld) { w.tor.Mute(false) },
		},
		"when the relay may have heard": {
			until: func(t *testing.T, w *feeWorld) {
				w.exit.Stall(true)
				w.inBuilding(t)
			},
			after: func(t *testing.T, w *feeWorld) { w.unfinished(t); w.exit.Stall(false) },
		},
		"when the circuit had not come near the relay": {
			until: func(t *testing.T, w *feeWorld) {
				w.middle.Stall(true)
				w.inBuilding(t)
			},
			after: func(t *testing.T, w *feeWorld) { w.unfinished(t); w.middle.Stall(false) },
			kept:  true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFeeWorld(t)
			start := func() { w.client = w.process(t, "client", w.tor, w.node, w.roles()) }
			start()
			x.until(t, w)
			killed := w.only(t).Handle
			w.client.stop()
			start()
			if x.after != nil {
				x.after(t, w)
			}
			until(t, "the fee to be known, and what becomes of it", 10*time.Second, func() bool {
				s := w.only(t)
				known := s.Handle == killed && s.PaidMsat == 700 && s.HeldMsat == 0
				if x.kept {
					return known && s.Status == paystream.StatusIntent && s.Circuit == ""
				}
				return known && s.Status == paystream.StatusClosed && s.Reason == paystream.ReasonCircuit
			})
			if s := w.served(t, w.build(t, w.guard, w.middle, w.exit)); (s.Handle == killed) != x.kept {
				t.Errorf("the next circuit brings %s, that of the kill was %s", s.Handle, killed)
			}
			if x.kept {
				w.paid(t, 1)
			} else {
				w.paid(t, 2)
			}
		})
	}
}

// TestKilledPayerIsServed: a circuit that was built while nobody was there is taken
// up, and paid.
func TestKilledPayerIsServed(t *testing.T) {
	t.Parallel()
	w := newFeeWorld(t)
	w.client = w.process(t, "client", w.tor, w.node, w.roles())
	w.exit.Stall(true)
	id := w.inBuilding(t)
	killed := w.only(t).Handle
	w.client.stop()
	w.exit.Stall(false)
	w.client = w.process(t, "client", w.tor, w.node, w.roles())
	if s := w.served(t, id); s.Handle != killed {
		t.Errorf("%+v, want that of %s", s, killed)
	}
	w.paid(t, 1)
}

// ask has the client make a circuit that it does not come to make.
func (w *feeWorld) ask(t *testing.T, path ...*eltorsim.Tor) {
	t.Helper()
	if _, err := dialController(t, w.socket).Write([]byte(extendPaid(path...))); err != nil {
		t.Fatal(err)
	}
}

// inBuilding has tor begin a circuit that stops on its way, and returns its id when
// that is in the books.
func (w *feeWorld) inBuilding(t *testing.T) (id string) {
	t.Helper()
	id = w.build(t, w.guard, w.middle, w.exit)
	books, err := ledger.OpenReader(t.Context(), filepath.Join(w.dir, w.client.name, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer books.Close()
	until(t, "the books to have the circuit", 10*time.Second, func() bool {
		rows, err := books.PayStreams(t.Context(), ledger.Filter{})
		return err == nil && len(rows) == 1 && rows[0].Circuit == id
	})
	return id
}

// unfinished waits until tor has no circuit in building.
func (w *feeWorld) unfinished(t *testing.T) {
	t.Helper()
	until(t, "the circuit to be closed", 10*time.Second, func() bool { return w.tor.Building() == 0 })
}

// only is the client's only pay stream with the exit.
func (w *feeWorld) only(t *testing.T) (found app.PayStream) {
	t.Helper()
	for _, s := range w.client.status(t).PayStreams {
		switch {
		case s.Relay != w.exit.Fingerprint:
		case found.Handle != "":
			t.Fatalf("two pay streams: %+v, %+v", found, s)
		default:
			found = s
		}
	}
	return found
}

func (w *feeWorld) faults(t *testing.T, f clnsim.Faults) {
	t.Helper()
	if err := w.nodes.SetFaults("payer", f); err != nil {
		t.Fatal(err)
	}
}

// paid checks how many fees were paid to the exit in all.
func (w *feeWorld) paid(t *testing.T, want int) {
	t.Helper()
	fees := 0
	for _, p := range w.nodes.Payments() {
		if p.To == "payee" && p.AmountMsat == 700 && p.Status == clnsim.Complete {
			fees++
		}
	}
	if fees != want {
		t.Errorf("%d opening fees were paid, want %d", fees, want)
	}
	if err := w.nodes.Audit(); err != nil {
		t.Error(err)
	}
}
