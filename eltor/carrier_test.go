package eltor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/eltor/eltorsim"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// engine is a payee that takes everything, unless refuse says otherwise.
type engine struct {
	mu       sync.Mutex
	admitted map[paystream.Handle]paystream.Intent
	ended    map[paystream.Handle]bool
	refuse   error
}

func newEngine() *engine {
	return &engine{admitted: make(map[paystream.Handle]paystream.Intent), ended: make(map[paystream.Handle]bool)}
}

func (e *engine) Terms() policies.Terms {
	t := eltor.Terms(policies.DefaultTerms(relayFP, policies.Descriptor{Kind: policies.Offer, Value: "lno1x"}, eltor.NoGateway))
	t.Interval, t.Grace = time.Second, time.Second
	return t
}

func (e *engine) Admit(_ context.Context, in paystream.Intent) (v paystream.View, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.refuse != nil {
		return v, e.refuse
	}
	e.admitted[in.Hash.Handle()] = in
	return v, nil
}

func (e *engine) End(_ context.Context, h paystream.PaymentIDHash, p paystream.Preimage) (v paystream.View, err error) {
	if p.Hash() != h {
		return v, paystream.ErrPreimage
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended[h.Handle()] = true
	return v, nil
}

func (e *engine) setRefuse(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refuse = err
}

func (e *engine) hasEnded(h paystream.Handle) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ended[h]
}

func (e *engine) count() (admitted, ended int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.admitted), len(e.ended)
}

// hall is a carrier in front of the first relay of a circuit, and a client of
// nobody's that builds circuits through it.
type hall struct {
	*eltor.Carrier
	engine *engine
	relays []*eltorsim.Tor
	client *eltorsim.Tor
	build  *eltor.Builder
	failed *logBuffer
	stop   func()
	w      *world

	mu    sync.Mutex // guards state
	state eltor.State
}

func newHall(t *testing.T, dialect rune) *hall {
	t.Helper()
	w := newWorld(t)
	h := &hall{w: w, engine: newEngine(), failed: &logBuffer{}}
	for _, name := range []string{"guard", "middle", "exit"} {
		h.relays = append(h.relays, w.relay(t, name, dialect))
	}
	h.client = w.client(t, dialect)
	circuits := tor.NewCircuits()
	c, err := tor.Start(t.Context(), tor.Config{Options: tor.Options{Address: h.client.Address}, Handlers: []tor.Handler{circuits}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	h.build = eltor.NewBuilder(c, circuits)
	h.start(t)
	return h
}

// start starts the carrier, as after a restart of tops.
func (h *hall) start(t *testing.T) {
	t.Helper()
	o := tor.Options{Address: h.relays[0].Address}
	c, err := tor.Start(t.Context(), tor.Config{Options: o})
	if err != nil {
		t.Fatal(err)
	}
	fork, err := eltor.Probe(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	h.Carrier = eltor.NewCarrier(eltor.CarrierConfig{
		Fork: fork, Tor: c, Options: o, Now: time.Now, Look: 50 * time.Millisecond,
		Failed: func(err error) { fmt.Fprintln(h.failed, err) },
		Load:   func(s *eltor.State) error { s.Circuits = h.saved(); return nil },
		Save:   func(s eltor.State) error { h.mu.Lock(); defer h.mu.Unlock(); h.state = s; return nil },
	})
	h.SetPayee(h.engine)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		c.Close()
	})
	t.Cleanup(h.stop)
	until(t, "the carrier to listen", 5*time.Second, func() bool { return h.relays[0].Listeners() > 0 })
}

// circuit builds one.
func (h *hall) circuit(t *testing.T, first eltor.Payload) *tor.Circuit {
	t.Helper()
	var hops []eltor.Hop
	for i, r := range h.relays {
		p := eltor.NewPayload()
		if i == 0 {
			p = first
		}
		hops = append(hops, eltor.Hop{Fingerprint: r.Fingerprint, Payload: p})
	}
	c, err := h.build.Build(t.Context(), hops, nil)
	if err != nil {
		t.Fatal(err)
	}
	<-c.Built()
	return c
}

func (h *hall) admitted(t *testing.T, n int) {
	t.Helper()
	until(t, fmt.Sprintf("%d to be admitted", n), 5*time.Second, func() bool { a, _ := h.engine.count(); return a == n && h.Stats().Circuits == n })
}

// gone waits for the end of a circuit, and tells how it ended.
func gone(t *testing.T, c *tor.Circuit) string {
	t.Helper()
	select {
	case <-c.Done():
		return c.Err().Error()
	case <-time.After(5 * time.Second):
		t.Fatal("the circuit lives")
		return ""
	}
}

func TestCarrierEndsTheUnpaid(t *testing.T) {
	h := newHall(t, eltorsim.B)
	a, b := eltor.NewPayload(), eltor.NewPayload()
	ca, cb := h.circuit(t, a), h.circuit(t, b)
	h.admitted(t, 2)
	in := h.engine.admitted[a.Hash.Handle()]
	if in.Hash != a.Hash || len(in.RoundIDs) != 10 || in.RoundIDs[9] != a.RoundIDs[9] || in.TermsHash != h.engine.Terms().Hash() {
		t.Error("the engine got another intent")
	}
	h.Stop(a.Hash.Handle(), paystream.ReasonLate)
	if why := gone(t, ca); !strings.Contains(why, "DESTROYED") || !strings.Contains(why, "REQUESTED") {
		t.Errorf("the circuit ended so: %s", why)
	}
	until(t, "the count", time.Second, func() bool { s := h.Stats(); return s.Ended == 1 && s.Circuits == 1 })
	if cb.Err() != nil {
		t.Errorf("the other circuit has ended, too: %v", cb.Err())
	}
	for _, heard := range h.relays[0].Heard() {
		if strings.HasPrefix(heard, "TEARDOWNCIRCUIT 0") || strings.HasPrefix(heard, "TEARDOWNCIRCUIT A") {
			t.Errorf("tor was told %q", heard)
		}
	}
}

func TestCarrierCannotEnd(t *testing.T) {
	h := newHall(t, eltorsim.A)
	p := eltor.NewPayload()
	c := h.circuit(t, p)
	h.admitted(t, 1)
	h.Stop(p.Hash.Handle(), paystream.ReasonLate)
	until(t, "it to be told", 5*time.Second, func() bool {
		return h.Stats().Unended == 1 && strings.Contains(h.failed.String(), "(dialect A) cannot end it")
	})
	if c.Err() != nil {
		t.Error("dialect A has ended a circuit")
	}
}

func TestCarrierSharedID(t *testing.T) {
	h := newHall(t, eltorsim.B)
	p := eltor.NewPayload()
	c, other := h.circuit(t, p), h.circuit(t, eltor.NewPayload())
	h.admitted(t, 2)
	h.relays[0].Share()
	h.Stop(p.Hash.Handle(), paystream.ReasonLate)
	until(t, "it to be told", 5*time.Second, func() bool { return h.Stats().Shared == 1 })
	if c.Err() != nil || other.Err() != nil || !strings.Contains(h.failed.String(), "another one here has the same id") {
		t.Errorf("%v, %v, %s", c.Err(), other.Err(), h.failed)
	}
}

func TestCarrierDoubledEvents(t *testing.T) {
	h := newHall(t, eltorsim.B)
	h.relays[0].Double(true)
	h.circuit(t, eltor.NewPayload())
	h.admitted(t, 1)
	until(t, "the double to be counted", 5*time.Second, func() bool { return h.Stats().Doubled == 1 })
}

// TestCarrierInjected: what a payload with line ends in it can say.
func TestCarrierInjected(t *testing.T) {
	h := newHall(t, eltorsim.B)
	victim := eltor.NewPayload()
	c := h.circuit(t, victim)
	h.admitted(t, 1)
	id := h.saved()
	until(t, "the state", 5*time.Second, func() bool { id = h.saved(); return len(id) == 1 })
	forged := func(circuit uint32) string {
		return fmt.Sprintf("650 EVENT_PAYMENT_ID_HASH_RECEIVED P_CIRC_ID=%d N_CIRC_ID=0 PAYMENT_HASH=%s\r\n", circuit, eltor.NewPayload())
	}
	relay := h.relays[0]
	relay.Say("650 EVENT_PAYMENT_ID_HASH_RECEIVED P_CIRC_ID=9 N_CIRC_ID=0 PAYMENT_HASH=x\r\n250 OK\r\n510 What?\r\n650+CIRC\r\nno code at all\r\n" + strings.Repeat("y", 9000) + "\r\n")
	until(t, "what fits nothing to be counted", 5*time.Second, func() bool { return h.Stats().Malformed == 6 })
	relay.Say("650 EVENT_PAYMENT_ID_HASH_RECEIVED P_CIRC_ID=9 N_CIRC_ID=0 PAYMENT_HASH=x\r\n" + forged(id[0].Circuit)) // of the circuit of somebody else
	relay.Say(forged(77))                                                                                              // of none
	relay.Say("650 EVENT_PAYMENT_ID_HASH_RECEIVED P_CIRC_ID=78 N_CIRC_ID=0 PAYMENT_HASH=" + victim.String() + "\r\n")  // somebody else's payload
	until(t, "what was injected to be counted", 5*time.Second, func() bool { s := h.Stats(); return s.Injected == 2 && s.Malformed == 7 })
	until(t, "what has no circuit to be ended", 5*time.Second, func() bool { a, e := h.engine.count(); return a == 2 && e == 1 })
	if c.Err() != nil || h.engine.hasEnded(victim.Hash.Handle()) {
		t.Errorf("the victim's circuit has ended: %v", c.Err())
	}
	h.circuit(t, eltor.NewPayload()) // the connection has survived all of it
	until(t, "the next to be admitted", 5*time.Second, func() bool { a, _ := h.engine.count(); return a == 3 && h.Stats().Circuits == 2 })
}

func (h *hall) saved() []eltor.CircuitState {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.Circuits
}

func TestCarrierRefuses(t *testing.T) {
	for name, x := range map[string]struct {
		spoil func(*eltor.Payload)
		err   error
	}{
		"preimage":     {spoil: func(p *eltor.Payload) { p.Preimage[0] ^= 1 }},
		"fee not paid": {err: &paystream.Demand{DueMsat: 5}},
		"used before":  {err: paystream.ErrRetired},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHall(t, eltorsim.B)
			h.engine.setRefuse(x.err)
			p := eltor.NewPayload()
			if x.spoil != nil {
				x.spoil(&p)
			}
			begin := time.Now()
			c := h.circuit(t, p)
			gone(t, c)
			if took := time.Since(begin); (name == "fee not paid") != (took > 900*time.Millisecond) {
				t.Errorf("refused after %s", took) // a fee may still be on its way, for as long as the grace
			}
			until(t, "the count", time.Second, func() bool { s := h.Stats(); return s.Refused == 1 && s.Ended == 1 })
		})
	}
}

// TestCarrierWaitsForAFee: the money comes a moment after the circuit.
func TestCarrierWaitsForAFee(t *testing.T) {
	h := newHall(t, eltorsim.B)
	h.engine.setRefuse(&paystream.Demand{DueMsat: 5})
	c := h.circuit(t, eltor.NewPayload())
	time.AfterFunc(200*time.Millisecond, func() { h.engine.setRefuse(nil) })
	h.admitted(t, 1)
	if c.Err() != nil {
		t.Error(c.Err())
	}
}

// TestCarrierClosed: no event tells of a circuit's end.
func TestCarrierClosed(t *testing.T) {
	h := newHall(t, eltorsim.B)
	c := h.circuit(t, eltor.NewPayload())
	h.admitted(t, 1)
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "the pay stream to be ended", 5*time.Second, func() bool { _, e := h.engine.count(); return e == 1 && h.Stats().Circuits == 0 })
}

// TestCarrierRestart: circuits that are still there are taken up, the others ended;
// nobody would tell of them again.
func TestCarrierRestart(t *testing.T) {
	h := newHall(t, eltorsim.B)
	stays, goes := eltor.NewPayload(), eltor.NewPayload()
	c, gone1 := h.circuit(t, stays), h.circuit(t, goes)
	h.admitted(t, 2)
	until(t, "the state", 5*time.Second, func() bool { return len(h.saved()) == 2 })
	h.stop()
	if err := gone1.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.engine = newEngine()
	h.start(t)
	h.admitted(t, 1)
	until(t, "the other to be ended", 5*time.Second, func() bool { _, e := h.engine.count(); return e == 1 })
	h.Stop(stays.Hash.Handle(), paystream.ReasonLate)
	gone(t, c)
}

// TestCarrierEndsStrangers: whoever brings what cannot be read is served no longer
// than who does not pay.
func TestCarrierEndsStrangers(t *testing.T) {
	h := newHall(t, eltorsim.B)
	p := eltor.NewPayload()
	paid := h.circuit(t, p)
	h.admitted(t, 1)
	conn, err := tor.Dial(t.Context(), tor.Options{Address: h.client.Address})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	begin := time.Now()
	var data string
	for _, r := range h.relays {
		data += r.Fingerprint + " " + strings.ToUpper(eltor.NewPayload().String()) + "\n"
	}
	if _, err := conn.DoBlock(t.Context(), controlspec.Command{Name: "EXTENDPAIDCIRCUIT", Args: "0", Block: true, Data: data}); err != nil {
		t.Fatal(err)
	}
	until(t, "the stranger to be ended", 10*time.Second, func() bool { return h.Stats().Unknown == 1 })
	if took := time.Since(begin); took < 2*time.Second {
		t.Errorf("after %s", took) // interval and grace
	}
	if paid.Err() != nil || h.Stats().Malformed != 1 || h.relays[0].Circuits() != 1 {
		t.Errorf("%v, %+v", paid.Err(), h.Stats())
	}
}
