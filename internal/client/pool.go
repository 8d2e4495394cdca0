package client

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/el-tor/tops/paystream"
)

// A member is what a pool keeps: a paid circuit.
type member interface {
	comparable

	// usable reports whether new connections may go through it.
	usable() bool

	// begin has it paid for, and returns when it can be used or why it cannot.
	begin(ctx context.Context) error

	// retire says that nothing new will go through it.
	retire()
}

// A pool gives each isolation key a circuit of its own, and keeps a few spare ones
// ready that nobody is paid for yet: a relay hears of one when a key gets it. As tor
// does, it predicts: spares are kept for an hour after the last app came, more of
// them while many new keys come.
type pool[M member] struct {
	build func(ctx context.Context) (M, error) // makes a spare
	spawn func(f func(context.Context)) error  // runs f in the background
	now   func() time.Time
	most  int // spares

	wake chan struct{}

	mu     sync.Mutex // guards what follows
	places map[isolation]*place[M]
	spares []M
	age    int         // how many new identities there were
	came   time.Time   // when an app came last
	fresh  []time.Time // when keys came that had no circuit, lately
}

// place is a key's circuit, or the wait for it.
type place[M member] struct {
	ready chan struct{} // closed when there is a circuit, or an error
	m     M
	err   error
}

const (
	predictFor = time.Hour        // after the last app spares are kept for so long
	freshFor   = 2 * time.Minute  // as many spares as new keys in this time
	tidyEvery  = 10 * time.Second // how often spares are looked at
	buildTries = 3                // circuits that are tried for one key

	minRebuff = time.Second // the pause after a spare could not be built, doubled up to
	maxRebuff = time.Minute
)

// errRenewed ends a wait for a circuit that a new identity has overtaken.
var errRenewed = errors.New("there is a new identity")

func newPool[M member](most int, now func() time.Time) *pool[M] {
	return &pool[M]{most: most, now: now, came: now(), wake: make(chan struct{}, 1), places: make(map[isolation]*place[M])}
}

// get returns the circuit of a key, and waits for it. Whoever comes while it is made
// waits for the same one.
func (p *pool[M]) get(ctx context.Context, key isolation) (m M, err error) {
	for {
		at, err := p.place(key)
		if err != nil {
			return m, err
		}
		select {
		case <-at.ready:
		case <-ctx.Done():
			return m, context.Cause(ctx)
		}
		if !errors.Is(at.err, errRenewed) {
			return at.m, at.err
		}
	}
}

// place finds a key's place, or begins to fill one.
func (p *pool[M]) place(key isolation) (*place[M], error) {
	p.mu.Lock()
	p.came = p.now()
	at := p.places[key]
	if at != nil && at.good() {
		p.mu.Unlock()
		return at, nil
	}
	if at != nil && at.err == nil {
		defer at.m.retire()
	}
	at = &place[M]{ready: make(chan struct{})}
	p.places[key] = at
	p.fresh = append(p.fresh, p.came)
	p.mu.Unlock()
	if err := p.spawn(func(run context.Context) { p.fill(run, key, at) }); err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		at.err = err
		close(at.ready)
		delete(p.places, key)
		return nil, err
	}
	return at, nil
}

// good reports whether a place has, or will have, a circuit to use.
func (at *place[M]) good() bool {
	select {
	case <-at.ready:
		return at.err == nil && at.m.usable()
	default:
		return true
	}
}

// fill finds a circuit for a place.
func (p *pool[M]) fill(ctx context.Context, key isolation, at *place[M]) {
	m, err := p.start(ctx)
	p.mu.Lock()
	if p.places[key] != at { // NEWNYM came, or the pool has ended
		if err == nil {
			defer m.retire()
			err = errRenewed
		}
	} else if err != nil {
		delete(p.places, key)
	}
	at.m, at.err = m, err
	close(at.ready)
	p.mu.Unlock()
	p.stir()
}

// start begins a spare, or a circuit that is built for it. One that fails is
// followed by another, unless the failure is nobody else's to mend.
func (p *pool[M]) start(ctx context.Context) (m M, err error) {
	for range buildTries {
		var ok bool
		if m, ok = p.take(); !ok {
			if m, err = p.build(ctx); err != nil {
				return m, err
			}
		}
		if err = m.begin(ctx); err == nil {
			return m, nil
		}
		m.retire()
		var no *paystream.Refusal
		if ctx.Err() != nil || errors.As(err, &no) && (no.Reason == paystream.ReasonBudget || no.Reason == paystream.ReasonWallet) {
			break
		}
	}
	var none M
	return none, err
}

// take takes the oldest spare.
func (p *pool[M]) take() (m M, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.spares) > 0 {
		m, p.spares = p.spares[0], p.spares[1:]
		if m.usable() {
			return m, true
		}
	}
	return m, false
}

// drop takes a circuit from its keys: it failed, or is to be used up.
func (p *pool[M]) drop(m M) {
	p.mu.Lock()
	for key, at := range p.places {
		select {
		case <-at.ready:
			if at.m == m {
				delete(p.places, key)
			}
		default:
		}
	}
	p.mu.Unlock()
	m.retire()
}

// discard ends the spares that are like one that failed.
func (p *pool[M]) discard(alike func(M) bool) {
	p.mu.Lock()
	var bad []M
	p.spares = slices.DeleteFunc(p.spares, func(m M) bool {
		if alike(m) {
			bad = append(bad, m)
			return true
		}
		return false
	})
	p.mu.Unlock()
	for _, m := range bad {
		m.retire()
	}
	p.stir()
}

// renew gives the keys of a circuit another one, before it ends. The old one is used
// until the new one is ready, and is left alone then.
func (p *pool[M]) renew(ctx context.Context, old M) error {
	m, err := p.start(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	found := false
	for key, at := range p.places {
		select {
		case <-at.ready:
			if at.m == old && at.err == nil {
				next := &place[M]{ready: at.ready, m: m}
				p.places[key], found = next, true
			}
		default:
		}
	}
	p.mu.Unlock()
	if !found {
		m.retire()
	}
	p.stir()
	return nil
}

// newIdentity gives every key another circuit for its next connection, and nobody
// a spare that was there before (SIGNAL NEWNYM).
func (p *pool[M]) newIdentity() {
	p.mu.Lock()
	old := p.spares
	for _, at := range p.places {
		select {
		case <-at.ready:
			if at.err == nil {
				old = append(old, at.m)
			}
		default: // it is filled in vain
		}
	}
	p.spares, p.places = nil, make(map[isolation]*place[M])
	p.age++
	p.mu.Unlock()
	for _, m := range old {
		m.retire()
	}
	p.stir()
}

// stir has run look at the spares.
func (p *pool[M]) stir() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run keeps spares until ctx ends.
func (p *pool[M]) run(ctx context.Context) {
	rebuff := minRebuff
	var notBefore time.Time
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		surplus, missing := p.tidy()
		for _, m := range surplus {
			m.retire()
		}
		if missing > 0 && !p.now().Before(notBefore) {
			if p.addSpare(ctx) {
				rebuff = minRebuff
				continue
			}
			notBefore = p.now().Add(rebuff)
			time.AfterFunc(rebuff, p.stir)
			rebuff = min(2*rebuff, maxRebuff)
		}
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-tick.C:
		}
	}
}

// tidy forgets what cannot be used any more, and says which spares are too many, or
// how many are missing.
func (p *pool[M]) tidy() (surplus []M, missing int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for key, at := range p.places {
		if !at.good() {
			delete(p.places, key)
		}
	}
	for len(p.fresh) > 0 && now.Sub(p.fresh[0]) > freshFor {
		p.fresh = p.fresh[1:]
	}
	usable := p.spares[:0]
	for _, m := range p.spares {
		if m.usable() {
			usable = append(usable, m)
		}
	}
	p.spares = usable
	want := min(p.most, max(1, len(p.fresh)))
	if now.Sub(p.came) > predictFor {
		want = 0
	}
	if n := len(p.spares); n > want {
		surplus = append(surplus, p.spares[want:]...)
		p.spares = p.spares[:want]
	}
	return surplus, want - len(p.spares)
}

// addSpare builds one.
func (p *pool[M]) addSpare(ctx context.Context) bool {
	p.mu.Lock()
	age := p.age
	p.mu.Unlock()
	m, err := p.build(ctx)
	if err != nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.age != age {
		defer m.retire()
		return true
	}
	p.spares = append(p.spares, m)
	return true
}
