package paystream

import (
	"context"
	"fmt"
	"time"
)

// Recover takes up what the journal remembers. Call it once, before Run.
func (p *Payee) Recover(ctx context.Context) error {
	now := p.cfg.Now()
	state, err := p.cfg.Journal.LoadPayee(ctx, now.Add(-RememberFor))
	if err != nil {
		return fmt.Errorf("load the payee's journal: %w", err)
	}
	p.mu.Lock()
	p.payIndex, p.committed = state.PayIndex, state.PayIndex
	known := p.recoverTermsLocked(state.Terms, now)
	for _, r := range state.Streams {
		if err := p.recoverOneLocked(r, now); err != nil {
			p.mu.Unlock()
			return fmt.Errorf("recover pay stream %s: %w", r.Handle, err)
		}
	}
	for _, r := range state.Streams {
		s, o := p.byHandle[r.Handle], p.byHandle[r.Continues]
		if s != nil && o != nil && s != o {
			s.continues, o.continuedBy = o, s
		}
	}
	for _, st := range state.Unclaimed {
		p.unclaimed[noteOf(st)] = append(p.unclaimed[noteOf(st)], st)
	}
	for _, s := range p.byHandle {
		p.scheduleLocked(s, now)
	}
	current := p.terms.Terms
	p.mu.Unlock()
	if known {
		return nil
	}
	return p.recordTerms(ctx, RetiredTerms{Terms: current})
}

// recoverTermsLocked takes up terms that were offered before; those that were in
// force and are not what is offered now retire at this moment. It reports
// whether the journal knows the terms in force.
func (p *Payee) recoverTermsLocked(list []RetiredTerms, now time.Time) (known bool) {
	for _, r := range list {
		t := newTariff(r.Terms)
		if t.hash == p.terms.hash {
			known = r.Retired.IsZero()
			continue
		}
		t.retired = r.Retired
		if t.retired.IsZero() {
			t.retired = now
		}
		p.tariffs[t.hash] = t
	}
	return known
}

func (p *Payee) recoverOneLocked(r PayeeRecord, now time.Time) error {
	state, err := parsePayeeState(r.State)
	if err != nil {
		return err
	}
	t := p.tariffs[r.Terms.Hash()]
	if t == nil {
		t = newTariff(r.Terms)
		t.retired = now.Add(-RememberFor) // nobody new comes in by them
		p.tariffs[t.hash] = t
	}
	s := &payeeStream{
		hash: r.Hash, handle: r.Handle, tariff: t, ids: r.RoundIDs, start: r.Start,
		feeMsat: r.FeeMsat, balanceMsat: r.BalanceMsat, bytes: r.Bytes, state: state, reason: r.Reason,
		movedTo: r.MovedTo, movedRound: r.MovedRound, closed: r.Closed,
		continued: r.Continued, credited: r.BalanceMsat > 0, journalled: true,
	}
	// The wall clock may have been set back while nobody looked: what had passed
	// has passed.
	if latest := now.Add(-r.Elapsed); s.start.After(latest) && r.Elapsed > 0 {
		s.start = latest
	}
	s.lastRound = uint8(s.round(now))
	p.byHash[s.hash], p.byHandle[s.handle] = s, s
	p.notes.add(s)
	if !state.over() {
		p.live++
		if !s.credited {
			p.free++
		}
		if state != payeePending {
			p.cfg.Carrier.Allow(s.handle, s.allowance()-s.bytes)
		}
	}
	return nil
}

// Checkpoint writes down how far every pay stream is: bytes and time, so that a
// restart gives nothing away. Call it before a clean end.
func (p *Payee) Checkpoint(ctx context.Context) error {
	p.mu.Lock()
	var live []*payeeStream
	for _, s := range p.byHandle {
		if !s.state.over() {
			live = append(live, s)
		}
	}
	p.mu.Unlock()
	return p.record(ctx, live)
}
