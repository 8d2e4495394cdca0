package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// lookEvery is how often the pace of a circuit is looked at.
const lookEvery = 100 * time.Millisecond

// serve keeps the circuit until it ends, its pay stream ends, or nothing more is
// paid on it.
func (p *circuit) serve(ctx context.Context) {
	keep, stop := context.WithCancel(ctx)
	defer stop()
	p.keep(keep)
	p.paySides(keep)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	next := p.continued(keep)
	var vigil vigil
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.tor().Done():
			if err := p.rebuild(ctx); err != nil {
				if !requested(err) {
					p.c.failed(err)
				}
				p.leave(context.WithoutCancel(ctx), paystream.ReasonCircuit)
				return
			}
		case <-look.C:
			p.look()
			if !p.pooled {
				continue
			}
			vigil.look(keep, p)
			if p.idle() {
				p.leave(context.WithoutCancel(ctx), paystream.ReasonClient)
				return
			}
		case err := <-vigil.verdict:
			p.c.lost(p, err)
			p.leave(context.WithoutCancel(ctx), paystream.ReasonQuality)
			return
		case <-p.empty:
			if p.unused() {
				p.leave(context.WithoutCancel(ctx), paystream.ReasonClient)
				return
			}
		case h := <-next:
			p.goOn(h)
			p.keep(keep)
			next = p.continued(keep)
		case <-p.heard:
			if len(next) == 0 && p.over() {
				p.leave(context.WithoutCancel(ctx), "")
				return
			}
		}
	}
}

// requested reports whether a circuit ended because a controller, or we, wanted it
// to.
func requested(err error) bool {
	var ended *tor.CircuitError
	return errors.As(err, &ended) && ended.Reason == "REQUESTED"
}

// rebuildFor bounds how long another circuit may take, rebuildWait how long
// connections wait for it, and rebuildPause comes between attempts.
const (
	rebuildFor   = 20 * time.Second
	rebuildWait  = 1500 * time.Millisecond
	rebuildPause = 500 * time.Millisecond
)

// rebuild makes another circuit along the same path for the pay stream, whose
// money would be lost otherwise: tor retires a circuit on which a stream failed as
// soon as no other is on it, which a relay that restarts is enough for. A circuit
// that somebody asked to be closed stays closed.
func (p *circuit) rebuild(ctx context.Context) error {
	old := p.tor()
	if requested(old.Err()) || p.over() {
		return old.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, rebuildFor)
	defer cancel()
	tc, err := p.c.circuits.Build(ctx, p.path)
	for err != nil { // a tor that was restarted is not ready at once
		select {
		case <-time.After(rebuildPause):
		case <-p.empty:
			if p.unused() { // those who used it have another one
				return old.Err()
			}
		case <-ctx.Done():
			return fmt.Errorf("%w; and another could not be built: %w", old.Err(), err)
		}
		if p.over() {
			return old.Err()
		}
		tc, err = p.c.circuits.Build(ctx, p.path)
	}
	p.c.mu.Lock()
	delete(p.c.paid, old.ID)
	p.c.paid[tc.ID] = p
	p.c.mu.Unlock()
	p.mu.Lock()
	p.tc, p.lost = tc, time.Time{}
	close(p.rebuilt)
	p.rebuilt = make(chan struct{})
	pay, sides := p.pay.handle, slices.Collect(maps.Values(p.sides))
	p.mu.Unlock()
	for _, side := range sides {
		_ = p.c.Move(side, tc.ID) // it may be over
	}
	return p.c.Move(pay, tc.ID)
}

// keep holds one idle connection to the gateway: tor closes a circuit that has
// had no stream for ten minutes.
func (p *circuit) keep(ctx context.Context) {
	hash, err := p.c.Hash(p.current())
	if err != nil {
		return
	}
	p.c.wg.Go(func() { _ = p.link.Keep(ctx, hash) })
}

// continued opens the pay stream that goes on from the present one, if it shall go
// on, and sends its handle when the relay has accepted it.
func (p *circuit) continued(ctx context.Context) <-chan paystream.Handle {
	next := make(chan paystream.Handle, 1)
	if p.self != nil { // a controller brings hashes for one pay stream
		return next
	}
	old := p.current()
	st, err := p.c.PayStream(old)
	if err != nil {
		return next
	}
	p.c.wg.Go(func() {
		if !p.awaitLast(ctx, st.Start, p.terms) {
			return
		}
		if p.pooled && !p.c.cfg.Client.Continue && p.usedSince(p.c.cfg.Now().Add(-p.terms.Interval)) {
			p.c.wg.Go(func() { p.c.renew(ctx, p) })
		}
		if !p.awaitNeed(ctx, st.Start, p.terms) {
			return
		}
		req := p.request()
		req.Continues = &old
		h, err := p.c.Open(ctx, req)
		if err == nil {
			next <- h
		} else if ctx.Err() == nil {
			p.c.failed(fmt.Errorf("continue pay stream %s: %w", old, err))
			p.c.pool.drop(p) // it ends: new connections had better begin elsewhere
		}
	})
	return next
}

// awaitLast waits for the last round of a pay stream; false if ctx ends first.
func (p *circuit) awaitLast(ctx context.Context, start time.Time, t policies.Terms) bool {
	select {
	case <-time.After(start.Add(t.Due(t.Rounds - 1)).Sub(p.c.cfg.Now())):
		return true
	case <-ctx.Done():
		return false
	}
}

// awaitNeed waits during the last round until the circuit is needed after it.
func (p *circuit) awaitNeed(ctx context.Context, start time.Time, t policies.Terms) bool {
	again := time.NewTicker(min(lookEvery, t.Interval/8))
	defer again.Stop()
	for end := start.Add(t.Due(t.Rounds)); p.c.cfg.Now().Before(end); {
		if p.goesOn(start) {
			return true
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return false
		}
	}
	return false
}

// idle reports whether the free rounds of the present pay stream are about to end and
// nobody has used it: nothing is paid for that. So a circuit that was made ready ahead
// costs nothing if nobody comes, and one that is not used any more costs no more than
// the pay stream in which it was.
func (p *circuit) idle() bool {
	p.mu.Lock()
	begins := p.pay.begins
	p.mu.Unlock()
	free := max(p.terms.Due(p.terms.FreeRounds), p.terms.Interval/2)
	return p.c.cfg.Now().After(begins.Add(free-p.terms.Interval/10)) && !p.usedSince(begins)
}

// goesOn reports whether the circuit is needed after the pay stream that began at
// start: no open connection is cut, and a circuit that apps use stays, if the user
// wants that. A controller's stays until the controller closes it.
func (p *circuit) goesOn(start time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.users > 0:
		return true
	case !p.c.cfg.Client.Continue || p.retired:
		return false
	default:
		return !p.pooled || p.used.After(start)
	}
}

// goOn makes a continuation the present pay stream.
func (p *circuit) goOn(h paystream.Handle) {
	begins := p.c.cfg.Now()
	if st, err := p.c.PayStream(h); err == nil {
		begins = st.Start
	}
	p.use(h, begins)
}

func (p *circuit) current() paystream.Handle {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pay.handle
}

// over reports whether the circuit is of no use any more: its pay stream is over,
// or was not worth its price. One that is not paid for another reason is served
// until the relay cuts it, but gets nothing new.
func (p *circuit) over() bool {
	st, err := p.c.PayStream(p.current())
	if err != nil {
		return true
	}
	switch st.Status {
	case paystream.StatusClosed, paystream.StatusCompleted, paystream.StatusRefused:
		return true
	}
	if st.Reason != "" {
		p.mu.Lock()
		p.retired, p.drains = true, p.drains || p.pooled
		p.drainLocked()
		p.mu.Unlock()
	}
	return st.Reason == paystream.ReasonQuality
}

// hear is told of each event of the circuit's pay streams. It returns at once.
func (p *circuit) hear(e paystream.Event) {
	if e.Reason != "" || e.Status == paystream.StatusClosed || e.Status == paystream.StatusCompleted {
		select {
		case p.heard <- struct{}{}:
		default:
		}
	}
}

// leave ends the pay streams, for a reason unless they have one already, and the
// circuit with every connection on it.
func (p *circuit) leave(ctx context.Context, why paystream.Reason) {
	p.mu.Lock()
	if p.left {
		p.mu.Unlock()
		return
	}
	p.left = true
	close(p.rebuilt)
	tc, pay, before, dead := p.tc, p.pay.handle, p.before.handle, p.dead
	sides := slices.Collect(maps.Values(p.sides))
	tunnels := p.tunnels
	p.tunnels = make(map[*tunnel]struct{})
	p.mu.Unlock()

	p.c.mu.Lock()
	delete(p.c.paid, tc.ID)
	p.c.mu.Unlock()
	if pay != "" {
		if st, err := p.c.PayStream(pay); err == nil && st.Reason != "" {
			why = st.Reason
		}
	}
	if why == paystream.ReasonQuality && p.pooled {
		p.c.avoid(p.terms.Relay) // before connections look for another circuit
	}
	for t := range tunnels {
		t.Close()
	}
	if dead { // nobody there would hear that it ends
		p.closeCircuit(ctx, tc)
	}
	told, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for _, h := range append(sides, pay) {
		if h == "" {
			continue
		}
		if err := p.c.Close(told, h, why); err != nil && !errors.Is(err, paystream.ErrNoPayStream) {
			p.c.failed(err)
		}
	}
	p.c.budget.forget(tc.ID)
	_ = p.link.Close()
	p.closeCircuit(ctx, tc)
	p.c.mu.Lock()
	for _, h := range append(sides, pay, before) {
		delete(p.c.byPay, h)
	}
	p.c.mu.Unlock()
}

func (p *circuit) closeCircuit(ctx context.Context, tc *tor.Circuit) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := tc.Close(ctx); err != nil && !errors.Is(err, tor.ErrNotConnected) {
		p.c.failed(fmt.Errorf("close circuit %s: %w", tc.ID, err))
	}
}
