package paystream

import "time"

// applyLocked lets an event happen to a pay stream and to those that hang on
// it. It returns every pay stream that changed, for the journal.
func (p *Payee) applyLocked(s *payeeStream, on payeeEvent, why Reason, now time.Time) []*payeeStream {
	to, act, ok := payeeNext(s.state, on)
	if !ok {
		return nil
	}
	if to.over() {
		s.reason, s.closed, s.bytes = why, now, s.used(p.cfg.Carrier)
		delete(p.overdue, s)
		p.live--
		if !s.credited {
			p.expendable = append(p.expendable, s)
		}
	}
	s.state = to
	p.countFreeLocked(s)
	changed := []*payeeStream{s}
	switch act {
	case actServe:
		p.cfg.Carrier.Allow(s.handle, s.allowance()-s.bytes)
		p.emitLocked(s, s.status(now), now)
	case actHandOver:
		p.emitLocked(s, StatusCompleted, now)
		if next := s.continuedBy; next != nil && !next.state.over() {
			p.cfg.Carrier.Move(s.handle, next.handle)
			changed = append(changed, p.applyLocked(next, payeeBegin, "", now)...)
		}
		p.cfg.Carrier.Stop(s.handle, why)
	case actCut:
		if why == ReasonLate {
			p.emitLocked(s, StatusLate, now)
		}
		p.cfg.Carrier.Stop(s.handle, why)
		p.emitLocked(s, StatusClosed, now)
		if next := s.continuedBy; next != nil && !s.full() {
			changed = append(changed, p.applyLocked(next, payeeAbandon, why, now)...)
		}
	}
	p.scheduleLocked(s, now)
	return changed
}

// tickLocked looks at a pay stream whose moment has come.
func (p *Payee) tickLocked(s *payeeStream, now time.Time) []*payeeStream {
	if s.state.over() {
		p.forgetLocked(s)
		return nil
	}
	if s.state == payeePending {
		if o := s.continues; !s.start.After(now) && (o == nil || o.state.over()) {
			return p.applyLocked(s, payeeBegin, "", now)
		}
		p.scheduleLocked(s, now)
		return nil
	}
	if !s.end().After(now) {
		if s.full() {
			return p.applyLocked(s, payeeFull, ReasonCompleted, now)
		}
		if s.state == payeeLive {
			return p.applyLocked(s, payeeOver, "", now)
		}
	}
	if r := uint8(s.round(now)); s.state == payeeLive && r != s.lastRound {
		s.lastRound = r
		if st := s.status(now); st != StatusPaid {
			p.emitLocked(s, st, now)
		}
	}
	if !s.full() && !s.late(s.nextPayable()).After(now) {
		// A deadline passed. Only the watermark can tell what it means.
		p.overdue[s] = struct{}{}
		p.agenda.set(s, time.Time{})
		signal(p.judge)
		return nil
	}
	p.scheduleLocked(s, now)
	return nil
}

// scheduleLocked enters the pay stream's next moment into the agenda.
func (p *Payee) scheduleLocked(s *payeeStream, now time.Time) {
	at := s.nextMoment(now)
	p.agenda.set(s, at)
	if first, _, ok := p.agenda.next(); ok && first == s {
		signal(p.wake)
	}
}

// forgetLocked drops the last trace of a pay stream from memory.
func (p *Payee) forgetLocked(s *payeeStream) {
	p.agenda.set(s, time.Time{})
	delete(p.byHash, s.hash)
	delete(p.byHandle, s.handle)
	p.notes.remove(s)
	for len(p.expendable) > 0 && p.byHash[p.expendable[0].hash] != p.expendable[0] {
		p.expendable = p.expendable[1:]
	}
	if o := s.continues; o != nil && o.continuedBy == s {
		o.continuedBy = nil
	}
	if n := s.continuedBy; n != nil && n.continues == s {
		n.continues = nil
	}
}

func (p *Payee) emitLocked(s *payeeStream, status Status, now time.Time) {
	e := Event{
		Handle: s.handle, Status: status, Relay: s.tariff.Relay,
		Round: s.round(now), Rounds: s.tariff.Rounds,
		PaidMsat: s.balanceMsat, FeeMsat: s.feeMsat, Reason: s.reason, At: now,
	}
	if !s.state.over() {
		e.DueMsat = s.dueMsat()
	}
	p.cfg.Emit(e)
}
