package paystream

import (
	"context"
	"fmt"
	"time"
)

// Admit answers an intent: with a view, when the pay stream is (or already was)
// accepted; with a *Demand when money is asked first; with *TermsChanged,
// ErrRetired, ErrConflict, ErrNotNow, ErrPreimage, ErrMalformed or *Busy when it
// is not. The same intent again gives the same pay stream.
func (p *Payee) Admit(ctx context.Context, in Intent) (View, error) {
	p.books.Lock()
	defer p.books.Unlock()
	if err := p.reread(ctx); err != nil {
		return View{}, noBooks
	}

	now := p.cfg.Now()
	p.mu.Lock()
	s, fresh, err := p.intentLocked(in, now)
	if err != nil {
		p.mu.Unlock()
		return View{}, err
	}
	brought := p.broughtLocked(s)
	if fresh {
		if err := p.openLocked(s, in, brought, now); err != nil {
			p.mu.Unlock()
			return View{}, err
		}
	}
	if len(brought) == 0 {
		view := p.viewLocked(s, now)
		p.mu.Unlock()
		return view, nil
	}
	p.mu.Unlock()

	// Money that came before its intent: it is credited like any other. What a
	// demand asked for counts from the moment that it is durable.
	if err := p.bookLocked(ctx, PayeeBatch{}, brought); err != nil {
		if fresh {
			p.mu.Lock()
			p.applyLocked(s, payeeEnd, ReasonRelay, now)
			p.forgetLocked(s)
			p.mu.Unlock()
		}
		return View{}, noBooks
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.viewLocked(s, p.cfg.Now()), nil
}

// noBooks is the answer to an intent while the journal fails.
var noBooks = &Busy{RetryAfter: 5 * time.Second, Reason: "the relay's books cannot be used"}

// intentLocked finds the pay stream of an intent, or makes one that nobody
// knows of yet.
func (p *Payee) intentLocked(in Intent, now time.Time) (s *payeeStream, fresh bool, err error) {
	if s := p.byHash[in.Hash]; s != nil {
		switch {
		case s.state.over():
			return nil, false, ErrRetired
		case !s.sameIntent(in):
			return nil, false, ErrConflict
		}
		return s, false, nil
	}
	t := p.tariffs[in.TermsHash]
	if t == nil || !t.retired.IsZero() && !now.Before(t.retired.Add(RememberFor)) {
		return nil, false, &TermsChanged{Terms: p.terms.Terms}
	}
	if in.RoundIDs != nil && len(in.RoundIDs) != t.Rounds {
		return nil, false, fmt.Errorf("%w: %d round_ids for %d rounds", ErrMalformed, len(in.RoundIDs), t.Rounds)
	}
	s = &payeeStream{hash: in.Hash, handle: in.Hash.Handle(), tariff: t, ids: in.RoundIDs, start: now}
	if !p.notes.free(s) || p.byHandle[s.handle] != nil {
		return nil, false, ErrConflict
	}
	return s, true, nil
}

// openLocked admits a new pay stream, or says what stands in its way.
func (p *Payee) openLocked(s *payeeStream, in Intent, brought []Settlement, now time.Time) error {
	if !s.tariff.honoured(now, brought) {
		return &TermsChanged{Terms: p.terms.Terms}
	}
	if in.Continues != nil {
		if err := p.continueLocked(s, *in.Continues, now); err != nil {
			return err
		}
	} else if err := p.askLocked(s, brought, now); err != nil {
		return err
	}
	if err := p.roomLocked(); err != nil {
		s.unlink()
		return err
	}
	p.byHash[s.hash], p.byHandle[s.handle] = s, s
	p.notes.add(s)
	p.live++
	p.countFreeLocked(s)
	s.lastRound = uint8(s.round(now))
	p.emitLocked(s, StatusIntent, now)
	if s.continues != nil {
		s.state = payeePending
		p.tickLocked(s, now)
		return nil
	}
	s.state = payeeLive
	p.cfg.Carrier.Allow(s.handle, s.allowance())
	p.emitLocked(s, s.status(now), now)
	p.scheduleLocked(s, now)
	return nil
}

// askLocked asks a new pay stream for what the opening demands.
func (p *Payee) askLocked(s *payeeStream, brought []Settlement, now time.Time) error {
	if len(brought) > 0 {
		if feeMsat, ok := s.admits(brought); ok {
			s.feeMsat = feeMsat
			return nil
		}
	}
	if p.node.away(now) {
		return &Busy{RetryAfter: 30 * time.Second, Reason: "the relay's lightning node does not answer"}
	}
	opening := p.cfg.Opening(p.loadLocked(now))
	p.newcomers.add(now)
	if d := s.demand(opening, brought); d != nil {
		return d
	}
	return nil
}

// continueLocked ties a new pay stream to the one that it goes on from.
func (p *Payee) continueLocked(s *payeeStream, c Continuation, now time.Time) error {
	if c.Preimage.Hash() != c.Hash {
		return ErrPreimage
	}
	old := p.byHash[c.Hash]
	switch {
	case old == nil:
		return ErrUnknown
	case old.state == payeeLate, old.state == payeeClosed:
		return ErrRetired
	case old.continuedBy != nil:
		return ErrConflict
	}
	opens := old.due(old.tariff.Rounds - 1).Add(-old.tariff.Grace)
	closes := old.late(old.tariff.Rounds)
	if now.Before(opens) || now.After(closes) {
		return ErrNotNow
	}
	s.start, s.continued = old.end(), true
	s.continues, old.continuedBy = old, s
	return nil
}

func (s *payeeStream) unlink() {
	if s.continues != nil {
		s.continues.continuedBy, s.continues = nil, nil
	}
}

// roomLocked makes room for one more pay stream, or refuses it. Those that were
// never credited and are over go first: nobody loses by forgetting them.
func (p *Payee) roomLocked() error {
	for len(p.byHash) >= p.cfg.MaxPayStreams {
		if len(p.expendable) == 0 {
			return &Busy{RetryAfter: p.terms.Interval, Reason: "the relay carries as many pay streams as it can"}
		}
		s := p.expendable[0]
		p.expendable = p.expendable[1:]
		if p.byHash[s.hash] == s && !s.credited {
			p.forgetLocked(s)
		}
	}
	return nil
}

// broughtLocked is the unclaimed money whose notes are ids of the pay stream.
func (p *Payee) broughtLocked(s *payeeStream) []Settlement {
	if len(p.unclaimed) == 0 {
		return nil
	}
	var out []Settlement
	for r := 0; r <= s.tariff.Rounds; r++ {
		out = append(out, p.unclaimed[s.note(r)]...)
	}
	return out
}

// sameIntent reports whether an intent is the one that s was made of.
func (s *payeeStream) sameIntent(in Intent) bool {
	if s.tariff.hash != in.TermsHash || (s.ids == nil) != (in.RoundIDs == nil) || s.continued != (in.Continues != nil) {
		return false
	}
	for i, id := range in.RoundIDs {
		if s.ids[i] != id {
			return false
		}
	}
	return in.Continues == nil || s.continues == nil || s.continues.hash == in.Continues.Hash
}
