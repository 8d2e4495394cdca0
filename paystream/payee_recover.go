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
	p.at, p.committed = state.Position, state.PayIndex
	b := PayeeBatch{Terms: p.recoverTermsLocked(state.Terms, now)}
	var changed []*payeeStream
	for _, r := range state.Streams {
		s, err := p.recoverOneLocked(r, now)
		if err != nil {
			p.mu.Unlock()
			return fmt.Errorf("recover pay stream %s: %w", r.Handle, err)
		}
		if !s.start.Equal(r.Start) {
			changed = append(changed, s)
		}
	}
	p.tieLocked(state.Streams)
	p.recoverUnclaimedLocked(state.Unclaimed)
	for _, s := range p.byHandle {
		p.scheduleLocked(s, now)
	}
	for _, s := range changed {
		b.Streams = append(b.Streams, p.recordLocked(s, now))
	}
	p.mu.Unlock()
	if len(b.Terms)+len(b.Streams) == 0 {
		return nil
	}
	if _, err := p.cfg.Journal.CommitPayee(ctx, b); err != nil {
		return fmt.Errorf("journal what changed meanwhile: %w", err)
	}
	return nil
}

// reread takes up what the journal knows and memory does not. A commit that
// failed may be durable all the same, or become so later: a connection to a
// database can be lost behind the COMMIT. So after one that failed, and after one
// that found payments booked already, the journal's word counts before anything
// else is done. The caller holds p.books.
func (p *Payee) reread(ctx context.Context) error {
	if !p.doubt {
		return nil
	}
	now := p.cfg.Now()
	state, err := p.cfg.Journal.LoadPayee(context.WithoutCancel(ctx), now.Add(-RememberFor))
	if err != nil {
		signal(p.write) // which tries again
		return fmt.Errorf("read the payee's journal again: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var changed []*payeeStream
	for _, r := range state.Streams {
		s := p.byHandle[r.Handle]
		if s == nil && r.Closed.IsZero() { // an intent that was given up when its commit failed
			if s, err = p.recoverOneLocked(r, now); err != nil {
				return fmt.Errorf("recover pay stream %s: %w", r.Handle, err)
			}
			p.scheduleLocked(s, now)
		}
		if s == nil {
			continue
		}
		if !s.journalled || s.balanceMsat != r.BalanceMsat {
			s.journalled = true
			changed = append(changed, s)
		}
		if more := r.BalanceMsat - s.balanceMsat; more > 0 {
			p.creditOneLocked(s, more)
		}
	}
	p.tieLocked(state.Streams)
	clear(p.unclaimed)
	p.recoverUnclaimedLocked(state.Unclaimed)
	p.at, p.committed = state.Position, state.PayIndex
	p.noteLocked(changed)
	p.doubt = false
	return nil
}

// tieLocked ties pay streams to those that they continue.
func (p *Payee) tieLocked(list []PayeeRecord) {
	for _, r := range list {
		s, o := p.byHandle[r.Handle], p.byHandle[r.Continues]
		if s != nil && o != nil && s != o {
			s.continues, o.continuedBy = o, s
		}
	}
}

func (p *Payee) recoverUnclaimedLocked(list []Settlement) {
	for _, st := range list {
		p.unclaimed[noteOf(st)] = append(p.unclaimed[noteOf(st)], st)
	}
}

// recoverTermsLocked takes up terms that were offered before; those that were in
// force and are not what is offered now retire at this moment. It returns what
// the journal does not know yet.
func (p *Payee) recoverTermsLocked(list []RetiredTerms, now time.Time) (news []RetiredTerms) {
	known := false
	for _, r := range list {
		t := newTariff(r.Terms)
		if t.hash == p.terms.hash {
			known = r.Retired.IsZero()
			continue
		}
		if t.retired = r.Retired; t.retired.IsZero() {
			t.retired = now
			news = append(news, RetiredTerms{Terms: t.Terms, Retired: now})
		}
		p.tariffs[t.hash] = t
	}
	if !known {
		news = append(news, RetiredTerms{Terms: p.terms.Terms})
	}
	return news
}

func (p *Payee) recoverOneLocked(r PayeeRecord, now time.Time) (*payeeStream, error) {
	state, err := parsePayeeState(r.State)
	if err != nil {
		return nil, err
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
	// has passed, and what was ahead is no further away.
	if back := s.start.Sub(now.Add(-r.Elapsed)); back > 0 && !state.over() {
		s.start = s.start.Add(-back)
		if !s.movedTo.IsZero() {
			s.movedTo = s.movedTo.Add(-back)
		}
	}
	s.lastRound = uint8(s.round(now))
	p.byHash[s.hash], p.byHandle[s.handle] = s, s
	p.notes.add(s)
	if !state.over() {
		p.live++
		p.countFreeLocked(s)
		if state != payeePending {
			p.cfg.Carrier.Allow(s.handle, s.allowance()-s.bytes)
		}
	}
	return s, nil
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
