package client

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/el-tor/tops/paystream"
)

// A member is what a pool keeps: a paid circuit.
type member interface {
	comparable

	// usable reports whether new connections may go through it.
	usable() bool

	// stable reports whether it suits connections that are to last.
	stable() bool

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
	build func(ctx context.Context, stable bool) (M, error) // makes a spare
	spawn func(f func(context.Context)) error               // runs f in the background
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
	stable bool          // it was to be, as far as there are relays for it
	ready  chan struct{} // closed when there is a circuit, or an error
	m      M
	err    error
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
// waits for the same one. Who needs a stable one gets another if it is not, and so does
// everybody of the key after him: each circuit costs money.
func (p *pool[M]) get(ctx context.Context, key isolation, stable bool) (m M, err error) {
	for {
		at, err := p.place(key, stable)
		if err != nil {
			return m, err
		}
		select {
		case <-at.ready:
		case <-ctx.Done():
			return m, context.Cause(ctx)
		}
		if errors.Is(at.err, errRenewed) || at.err == nil && stable && !at.lasts() {
			continue
		}
		return at.m, at.err
	}
}

// place finds a key's place, or begins to fill one.
func (p *pool[M]) place(key isolation, stable bool) (*place[M], error) {
	p.mu.Lock()
	p.came = p.now()
	at := p.places[key]
	if at != nil && at.good(stable) {
		p.mu.Unlock()
		return at, nil
	}
	if at != nil && at.err == nil {
		defer at.m.retire()
	}
	at = &place[M]{stable: stable, ready: make(chan struct{})}
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
func (at *place[M]) good(stable bool) bool {
	select {
	case <-at.ready:
		return at.err == nil && at.m.usable() && (!stable || at.lasts())
	default:
		return true
	}
}

// lasts reports whether a place's circuit is as stable as can be.
func (at *place[M]) lasts() bool { return at.stable || at.m.stable() }

// fill finds a circuit for a place.
func (p *pool[M]) fill(ctx context.Context, key isolation, at *place[M]) {
	m, err := p.start(ctx, at.stable)
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
func (p *pool[M]) start(ctx context.Context, stable bool) (m M, err error) {
	for range buildTries {
		var ok bool
		if m, ok = p.take(stable); !ok {
			if m, err = p.build(ctx, stable); err != nil {
				if ctx.Err() != nil || errors.As(err, new(*paystream.Refusal)) {
					return m, err
				}
				continue // through other relays
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

// renew gives the keys of a circuit another one, before it ends. The old one is used
// until the new one is ready, and is left alone then.
func (p *pool[M]) renew(ctx context.Context, old M) error {
	m, err := p.start(ctx, old.stable())
	if err != nil {
		return err
	}
	p.mu.Lock()
	found := false
	for key, at := range p.places {
		select {
		case <-at.ready:
			if at.m == old && at.err == nil {
				next := &place[M]{stable: at.stable, ready: at.ready, m: m}
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
