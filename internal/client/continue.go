package client

import (
	"context"
	"fmt"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

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
