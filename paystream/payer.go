package paystream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/el-tor/tops/policies"
)

// PayerConfig is what a [Payer] works with. Wallet, Journal, Budget and Policy
// are required.
type PayerConfig struct {
	Wallet  Wallet
	Journal PayerJournal
	Budget  Budget
	Policy  PaymentPolicy

	// Service judges whether a pay stream is worth its price; nil: always.
	Service Service

	// Now is the clock; nil: time.Now. It should count the time that the machine
	// sleeps.
	Now func() time.Time

	// Random draws the phases of payments, in [0, 1); nil: math/rand/v2.
	Random func() float64

	// OpenFor is how long opening is tried; zero: one minute.
	OpenFor time.Duration

	// Emit hears of every change, in order. It must return at once and not call
	// back. A DUE event with a Reason says that the round will not be paid: leave
	// the circuit.
	Emit func(Event)
}

// Payer is the client's side of the protocol: it opens pay streams and pays
// them, round by round, each round once. Call Recover, then Run; the other
// methods may be called from many goroutines.
type Payer struct {
	cfg    PayerConfig
	secret [32]byte
	wake   chan struct{}
	ended  chan struct{} // closed when Run has returned

	mu        sync.Mutex // guards everything below, and the pay streams
	recovered bool
	streams   map[Handle]*payerStream
	agenda    agenda[payerStream, *payerStream]
	routing   map[policies.Descriptor]routing
	draining  bool
	changed   chan struct{} // closed and replaced when a goroutine has done its work
	workers   sync.WaitGroup
}

// ErrNoPayStream is returned for a handle that the payer does not know.
var ErrNoPayStream = errors.New("no pay stream has this handle")

// ErrNotReady is returned before Recover and while the payer shuts down.
var ErrNotReady = errors.New("the payer is not ready")

// NewPayer makes a payer that knows nothing yet.
func NewPayer(cfg PayerConfig) *Payer {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
	if cfg.OpenFor == 0 {
		cfg.OpenFor = time.Minute
	}
	if cfg.Emit == nil {
		cfg.Emit = func(Event) {}
	}
	return &Payer{
		cfg:     cfg,
		wake:    make(chan struct{}, 1),
		ended:   make(chan struct{}),
		streams: make(map[Handle]*payerStream),
		routing: make(map[policies.Descriptor]routing),
		changed: make(chan struct{}),
	}
}

const (
	nap    = 5 * time.Second // the longest sleep while anything is live
	jumped = 2 * time.Second // waking so much later than planned means that the clock jumped
)

// Run pays until ctx ends, then waits for its goroutines. What is on its way
// then is resolved by the next Recover; to wait for it, call Flush before. It is
// called once.
func (p *Payer) Run(ctx context.Context) error {
	defer close(p.ended)
	defer p.workers.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		sleep, some := p.dispatch(ctx)
		if some {
			timer.Reset(sleep)
		}
		planned := p.cfg.Now().Add(sleep)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.wake:
		case <-timer.C:
		}
		if some && p.cfg.Now().Sub(planned) > jumped {
			p.doubtAll()
		}
	}
}

// dispatch starts a goroutine for everything whose time has come and returns
// how long nothing will happen; false if nothing is planned at all.
func (p *Payer) dispatch(ctx context.Context) (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	for {
		s, at, ok := p.agenda.next()
		if !ok {
			return nap, false
		}
		if wait := at.Sub(now); wait > 0 || ctx.Err() != nil {
			return min(wait, nap), true
		}
		p.agenda.set(s, time.Time{})
		s.busy = true
		p.workers.Go(func() { p.work(ctx, s) })
	}
}

// work does what is next for s, and plans what comes after. Only one goroutine
// at a time does so.
func (p *Payer) work(ctx context.Context, s *payerStream) {
	p.mu.Lock()
	now := p.cfg.Now()
	what, at := p.dutyLocked(s, now)
	p.mu.Unlock()
	if !at.After(now) {
		p.do(ctx, s, what)
	}
	p.save(ctx, s)

	p.mu.Lock()
	defer p.mu.Unlock()
	s.busy = false
	p.planLocked(s)
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Payer) do(ctx context.Context, s *payerStream, what duty) {
	switch what {
	case dutyAdvance:
		p.advance(ctx, s)
	case dutyOpen:
		p.deliver(ctx, s)
	case dutyAsk:
		p.ask(ctx, s)
	case dutyPay:
		p.begin(ctx, s)
	case dutyFinish:
		p.locked(func() { p.applyLocked(s, payerDone, ReasonCompleted) })
	case dutyAnnounce:
		p.locked(func() { p.announceLocked(s) })
	case dutyExpire:
		p.locked(func() { p.expireLocked(s) })
	case dutyForget:
		p.locked(func() { p.forgetLocked(s) })
	}
}

// planLocked enters s into the agenda anew.
func (p *Payer) planLocked(s *payerStream) {
	if s.busy || s.gone {
		return // whoever works for it plans when he is done
	}
	_, at := p.dutyLocked(s, p.cfg.Now())
	p.agenda.set(s, at)
	signal(p.wake)
}

func (p *Payer) forgetLocked(s *payerStream) {
	s.gone = true
	if p.streams[s.handle] == s {
		delete(p.streams, s.handle)
	}
}

// doubtAll makes every pay stream ask before it pays.
func (p *Payer) doubtAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.streams {
		if s.state == payerLive || s.state == payerLeaving {
			s.doubt = true
			p.planLocked(s)
		}
	}
}

// save writes the record of s if it changed. What cannot be written is tried
// again later; nothing that must be durable first relies on it.
func (p *Payer) save(ctx context.Context, s *payerStream) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	p.mu.Lock()
	if !s.dirty {
		p.mu.Unlock()
		return nil
	}
	rec := s.record()
	s.dirty = false
	p.mu.Unlock()
	err := p.cfg.Journal.SavePayStream(context.WithoutCancel(ctx), rec)
	if err != nil {
		p.locked(func() {
			s.dirty = true
			s.retry = p.cfg.Now().Add(time.Second)
		})
	}
	return err
}

// Save returns once all that is known of a pay stream is durable.
func (p *Payer) Save(ctx context.Context, h Handle) error {
	p.mu.Lock()
	s := p.streams[h]
	p.mu.Unlock()
	if s == nil {
		return fmt.Errorf("save %q: %w", h, ErrNoPayStream)
	}
	if err := p.save(ctx, s); err != nil {
		return fmt.Errorf("save %q: %w", h, err)
	}
	return nil
}

func (p *Payer) locked(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// applyLocked lets an event happen to s and tells of it. It reports whether the
// event was one that could happen.
func (p *Payer) applyLocked(s *payerStream, on payerEvent, why Reason) bool {
	to, say, ok := payerNext(s.state, on)
	if !ok {
		return false
	}
	s.state, s.dirty = to, true
	if to >= payerLeaving {
		s.reason = why
	}
	if to.over() {
		s.closed = p.cfg.Now()
	}
	if to >= payerLeaving && s.payment != nil && s.payment.Step != StepPaying {
		s.payment.next = p.cfg.Now() // it moved nothing yet, and will not
	}
	if say != "" {
		p.emitLocked(s, say, s.reason)
	}
	if s.settled != nil && to != payerOpening {
		close(s.settled)
		s.settled = nil
	}
	if s.after != nil && (to == payerClosed || to == payerRefused) {
		p.applyLocked(s.after, payerOverdue, why) // it began where this one should have ended
		p.planLocked(s.after)
	}
	return true
}

// announceLocked says that a round runs that has to be paid.
func (p *Payer) announceLocked(s *payerStream) {
	s.announced = s.next()
	p.emitLocked(s, StatusDue, s.reason)
}

func (p *Payer) emitLocked(s *payerStream, status Status, why Reason) {
	p.cfg.Emit(p.eventLocked(s, status, why))
}

// emitDueLocked says that the relay asks for something before it admits the pay
// stream.
func (p *Payer) emitDueLocked(s *payerStream, dueMsat int64) {
	e := p.eventLocked(s, StatusDue, "")
	e.DueMsat = dueMsat
	p.cfg.Emit(e)
}

func (p *Payer) eventLocked(s *payerStream, status Status, why Reason) Event {
	now := p.cfg.Now()
	return Event{
		Handle: s.handle, Status: status, Circuit: s.circuit, Hop: s.hop, Relay: s.terms.Relay,
		Round: s.current(now), Rounds: s.terms.Rounds, DueMsat: s.dueMsat(), PaidMsat: s.toldMsat(),
		FeeMsat: s.routeMsat, Reason: why, At: now,
	}
}
