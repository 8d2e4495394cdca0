package paystream

import "time"

// Load is how busy a payee is when an intent arrives.
type Load struct {
	Now        time.Time
	PayStreams int     // that are not over
	Free       int     // of them, that have paid for no round yet; those that continue another do not count
	Newcomers  int     // intents of the last minute that brought no money, refused ones included
	Asks       Opening // what the next newcomer is asked for; only in what [Payee.Load] returns
}

// Load is how busy the payee is now.
func (p *Payee) Load() Load {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.loadLocked(p.cfg.Now())
	l.Asks = p.cfg.Opening(l)
	return l
}

func (p *Payee) loadLocked(now time.Time) Load {
	return Load{Now: now, PayStreams: p.live, Free: p.free, Newcomers: p.newcomers.count(now)}
}

// countFreeLocked counts the pay stream among the free ones for as long as it is
// one.
func (p *Payee) countFreeLocked(s *payeeStream) {
	free := !s.state.over() && !s.continued && s.paidThrough() < s.tariff.prices.FirstPriced()
	switch {
	case free && !s.free:
		p.free++
	case !free && s.free:
		p.free--
	}
	s.free = free
}

// Opening is what a payee asks of a new intent. Each step is dearer than the
// one before; none changes the terms.
type Opening int

// The ladder of openings.
const (
	OpenFree  Opening = iota // nothing
	OpenFee                  // the opening fee of the terms, on top of the rounds
	OpenAhead                // the first priced round, now
)

func (o Opening) String() string { return [...]string{"free", "fee", "ahead"}[o] }

// demand is the 402 that an intent is answered with at this opening, less what
// it brings already; nil if nothing is asked.
func (s *payeeStream) demand(o Opening, brought []Settlement) *Demand {
	fee, total := s.brings(brought)
	first := s.tariff.prices.FirstPriced()
	switch {
	case o == OpenFree:
		return nil
	case o == OpenFee && s.tariff.FeeMsat > 0:
		return &Demand{DueMsat: s.tariff.FeeMsat - fee, Note: s.note(0)}
	default:
		return &Demand{DueMsat: s.tariff.prices.PriceMsat(first) - total, Note: s.note(first)}
	}
}

// admits reports whether the money that an intent brings answers a 402 that was
// once given for it, and which opening fee is then owed. The note says which
// demand it was, so that nothing has to be remembered of whom was asked what: a
// payee that restarted, or asks more by now, still keeps its word.
func (s *payeeStream) admits(brought []Settlement) (feeMsat int64, ok bool) {
	fee, total := s.brings(brought)
	if s.tariff.FeeMsat > 0 && fee >= s.tariff.FeeMsat {
		return s.tariff.FeeMsat, true
	}
	return 0, total >= s.tariff.prices.PriceMsat(s.tariff.prices.FirstPriced())
}

// brings sums the money that came before the intent: under the opening fee's
// note, and in all.
func (s *payeeStream) brings(brought []Settlement) (feeMsat, totalMsat int64) {
	id0 := s.note(0)
	for _, b := range brought {
		totalMsat += b.AmountMsat
		if noteOf(b) == id0 {
			feeMsat += b.AmountMsat
		}
	}
	return feeMsat, totalMsat
}

// honoured reports whether terms are still accepted: those offered now from
// anybody, retired ones only from one that brings money.
func (t *tariff) honoured(now time.Time, brought []Settlement) bool {
	return t.retired.IsZero() || len(brought) > 0 && now.Before(t.retired.Add(RememberFor))
}
