package eltor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// Payee is the engine as the carrier needs it: [paystream.Payee].
type Payee interface {
	Admit(ctx context.Context, in paystream.Intent) (paystream.View, error)
	End(ctx context.Context, h paystream.PaymentIDHash, p paystream.Preimage) (paystream.View, error)
	Terms() policies.Terms
}

// CarrierConfig is what a [Carrier] works with.
type CarrierConfig struct {
	Fork    Fork
	Tor     asker       // for commands
	Options tor.Options // for a connection of its own, on which the events come
	Now     func() time.Time
	Failed  func(error) // what went wrong and goes on, for the log

	// Look is how often the carrier looks which circuits are still there; 0: every
	// 10 seconds.
	Look time.Duration

	// Load and Save keep the circuits that are served over a restart: tor tells of
	// each once.
	Load func(*State) error
	Save func(State) error
}

// Carrier is the payee's hold on circuits through El Tor's tor: a
// [paystream.Carrier]. It hears of circuits, has the engine admit them, and ends
// those that are not paid, where the tor can.
type Carrier struct {
	cfg   CarrierConfig
	payee Payee
	heard chan Event    // what the connection of events brought
	wake  chan struct{} // something has to be done

	unlisted bool // tor does not list its circuits; with Run

	mu       sync.Mutex // guards what follows
	byHash   map[paystream.PaymentIDHash]*served
	byHandle map[paystream.Handle]*served
	stats    Stats
	unsaved  bool
	unknown  map[uint32]time.Time // circuits that brought nothing, and since when they are here
}

// served is one circuit that brought a payload.
type served struct {
	circuit  uint32 // 0 on dialect A
	payload  Payload
	handle   paystream.Handle
	since    time.Time
	admitted bool
	ending   bool      // it is to be ended
	why      string    // for people
	told     bool      // that it cannot be ended
	notUntil time.Time // it is tried again
}

// Stats is what a carrier has seen since it was started.
type Stats struct {
	Circuits  int    `json:"circuits"`  // that are served now
	Doubled   uint64 `json:"doubled"`   // events that came again
	Malformed uint64 `json:"malformed"` // lines that are no event, injected ones among them
	Injected  uint64 `json:"injected"`  // events of a circuit, or with a payload, that another circuit has
	Dropped   uint64 `json:"dropped"`   // events beyond what can be remembered
	Refused   uint64 `json:"refused"`   // payloads that the engine did not take
	Ended     uint64 `json:"ended"`     // circuits that were ended
	Shared    uint64 `json:"shared"`    // circuits that could not be ended: another has the same id
	Unended   uint64 `json:"unended"`   // unpaid circuits that this tor cannot end
	Unknown   uint64 `json:"unknown"`   // circuits that brought no payload, or none that could be read, and were ended
}

const (
	maxHeard   = 1024             // events that wait
	maxWaiting = 4096             // payloads that are not admitted yet
	tryAgain   = time.Second      // between attempts to have a payload admitted
	endAgain   = 10 * time.Second // between attempts to end a circuit whose id is shared
	lookEvery  = 10 * time.Second // at which circuits are there
)

// NewCarrier makes a carrier that hears nothing before Run.
func NewCarrier(cfg CarrierConfig) *Carrier {
	if cfg.Look == 0 {
		cfg.Look = lookEvery
	}
	return &Carrier{
		cfg: cfg, heard: make(chan Event, maxHeard), wake: make(chan struct{}, 1),
		byHash:   make(map[paystream.PaymentIDHash]*served),
		byHandle: make(map[paystream.Handle]*served),
	}
}

// SetPayee says who decides; it is called once, before Run.
func (c *Carrier) SetPayee(p Payee) { c.payee = p }

// Stats are the counters.
func (c *Carrier) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Circuits = len(c.byHandle)
	return s
}

// Allow implements paystream.Carrier. Nobody counts bytes here.
func (c *Carrier) Allow(paystream.Handle, int64) {}

// Used implements paystream.Carrier.
func (c *Carrier) Used(paystream.Handle) int64 { return 0 }

// Move implements paystream.Carrier. No pay stream is continued by another here:
// a circuit brings its ids when it is made.
func (c *Carrier) Move(_, _ paystream.Handle) {}

// Pause implements paystream.Carrier. This tor cannot stop reading: circuits go on
// while the payee's node is away.
func (c *Carrier) Pause(bool) {}

// Stop implements paystream.Carrier: the circuit is ended soon.
func (c *Carrier) Stop(h paystream.Handle, why paystream.Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.byHandle[h]
	if s == nil {
		return // its circuit is gone, or was never told of again
	}
	s.ending, s.why = true, string(why)
	c.stir()
}

func (c *Carrier) stir() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Run serves until ctx ends.
func (c *Carrier) Run(ctx context.Context) error {
	if err := c.load(); err != nil {
		return err
	}
	c.lookAround(ctx)
	var listening sync.WaitGroup
	defer listening.Wait()
	listening.Go(func() { c.listen(ctx) })
	look := time.NewTicker(c.cfg.Look)
	defer look.Stop()
	for {
		wait := c.round(ctx)
		again := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			again.Stop()
			return ctx.Err()
		case e := <-c.heard:
			c.take(e)
			c.takeAll()
		case <-c.wake:
		case <-again.C:
		case <-look.C:
			c.lookAround(ctx)
		}
		again.Stop()
	}
}

// takeAll takes what waits, so that one listing serves all of it.
func (c *Carrier) takeAll() {
	for {
		select {
		case e := <-c.heard:
			c.take(e)
		default:
			return
		}
	}
}

// take notes an event once.
func (c *Carrier) take(e Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.byHash[e.Payload.Hash]; old != nil {
		if old.circuit == e.Circuit {
			c.stats.Doubled++
		} else { // somebody has read it on its way, and would ride along
			c.stats.Injected++
		}
		return
	}
	if e.Circuit != 0 && c.ownerLocked(e.Circuit) != nil { // never at the cost of who has it
		c.stats.Injected++
		return
	}
	if len(c.byHash)-len(c.byHandle) >= maxWaiting {
		c.stats.Dropped++
		return
	}
	c.byHash[e.Payload.Hash] = &served{circuit: e.Circuit, payload: e.Payload, handle: e.Payload.Hash.Handle(), since: c.cfg.Now()}
	c.unsaved = true
}

// ownerLocked is who has a circuit's id already.
func (c *Carrier) ownerLocked(id uint32) *served {
	for _, s := range c.byHash {
		if s.circuit == id {
			return s
		}
	}
	return nil
}

// round does what can be done now, and returns how long nothing will have to be. It
// asks tor nothing unless a circuit is to be ended: while this tor tells of one
// circuit, whatever else it says to anybody can kill it.
func (c *Carrier) round(ctx context.Context) time.Duration {
	defer c.save()
	var there *listing
	for _, s := range c.due() {
		if ctx.Err() != nil {
			return tryAgain
		}
		if !s.ending {
			c.admit(ctx, s)
			continue
		}
		if c.cfg.Fork.Dialect == B && there == nil {
			if there = c.list(ctx); there == nil {
				return tryAgain
			}
		}
		c.end(ctx, s, there)
	}
	return c.rest()
}

// list asks tor for its circuits; nil if it does not tell, which is told once.
func (c *Carrier) list(ctx context.Context) *listing {
	there, err := listCircuits(ctx, c.cfg.Tor)
	if err != nil && !c.unlisted && ctx.Err() == nil {
		c.failed(fmt.Errorf("tor does not list its circuits, so that none is ended: %w", err))
	}
	c.unlisted = err != nil
	return there
}

// due lists what has to be done now.
func (c *Carrier) due() (todo []*served) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Now()
	for _, s := range c.byHash {
		if (s.ending || !s.admitted) && !s.notUntil.After(now) {
			todo = append(todo, s)
		}
	}
	return todo
}

// rest is how long it is until something has to be done.
func (c *Carrier) rest() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	rest := lookEvery
	for _, s := range c.byHash {
		if s.ending || !s.admitted {
			rest = min(rest, max(0, s.notUntil.Sub(c.cfg.Now())))
		}
	}
	return rest
}

// admit has the engine take a payload. What it asks for, the opening fee, was to
// be paid before: it may still be on its way to us, for as long as the grace.
func (c *Carrier) admit(ctx context.Context, s *served) {
	terms := c.payee.Terms()
	err := s.payload.Verify()
	if err == nil {
		_, err = c.payee.Admit(ctx, s.payload.Intent(terms))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Now()
	switch {
	case err == nil:
		s.admitted = true
		c.byHandle[s.handle] = s
	case ctx.Err() != nil:
	case waits(err) && now.Before(s.since.Add(terms.Grace)):
		s.notUntil = now.Add(tryAgain)
	default:
		c.stats.Refused++
		s.ending, s.why, s.notUntil = true, "refused: "+err.Error(), now
	}
}

// waits reports whether the engine may take the same later.
func waits(err error) bool {
	var demand *paystream.Demand
	var busy *paystream.Busy
	var changed *paystream.TermsChanged
	return errors.As(err, &demand) || errors.As(err, &busy) || errors.As(err, &changed)
}

// gone notes that a circuit has ended by itself, or was never there.
func (c *Carrier) gone(ctx context.Context, s *served) {
	c.mu.Lock()
	c.forgetLocked(s)
	c.mu.Unlock()
	_, err := c.payee.End(ctx, s.payload.Hash, s.payload.Preimage)
	if err != nil && !errors.Is(err, paystream.ErrUnknown) && !errors.Is(err, paystream.ErrPreimage) {
		c.failed(fmt.Errorf("pay stream %s, whose circuit has ended: %w", s.handle, err))
	}
}

func (c *Carrier) forgetLocked(s *served) {
	delete(c.byHash, s.payload.Hash)
	delete(c.byHandle, s.handle)
	c.unsaved = true
}

// end ends a circuit if this tor can, and if no other would be ended with it.
func (c *Carrier) end(ctx context.Context, s *served, there *listing) {
	if there != nil && !there.has(s.circuit) { // it has ended by itself
		c.gone(ctx, s)
		return
	}
	if there == nil { // dialect A
		c.mu.Lock()
		c.forgetLocked(s)
		if s.why == string(paystream.ReasonCompleted) { // it was paid; its client has no more use for it
			c.mu.Unlock()
			return
		}
		c.stats.Unended++
		c.mu.Unlock()
		c.failed(fmt.Errorf("the circuit of pay stream %s is not to be served any more (%s), and this tor (dialect A) cannot end it", s.handle, s.why))
		return
	}
	if there.shared(s.circuit) {
		c.mu.Lock()
		told := s.told
		if !told {
			c.stats.Shared++
		}
		s.told, s.notUntil = true, c.cfg.Now().Add(endAgain)
		c.mu.Unlock()
		if !told {
			c.failed(fmt.Errorf("the circuit of pay stream %s (%s) is not ended: another one here has the same id", s.handle, s.why))
		}
		return
	}
	err := teardown(ctx, c.cfg.Tor, s.circuit)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		s.notUntil = c.cfg.Now().Add(tryAgain)
		if ctx.Err() == nil {
			c.failed(fmt.Errorf("end the circuit of pay stream %s: %w", s.handle, err))
		}
		return
	}
	c.stats.Ended++
	c.forgetLocked(s)
}

func (c *Carrier) failed(err error) {
	if c.cfg.Failed != nil {
		c.cfg.Failed(err)
	}
}
