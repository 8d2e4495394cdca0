package paystream

import (
	"fmt"
	"time"
)

// PayerStatus is a pay stream as its payer sees it.
type PayerStatus struct {
	Handle      Handle
	Status      Status
	Reason      Reason
	Relay       string // fingerprint
	Circuit     string
	Path        []string
	Hop         int
	Controller  string
	NoPay       bool
	Continues   Handle
	Opened      time.Time
	Start       time.Time
	Round       int
	Rounds      int
	PaidThrough int
	DueMsat     int64     // missing for the next round that has to be paid
	DueAt       time.Time // when that is due
	LateAt      time.Time // and when it is too late
	PayAt       time.Time // from when on it is paid, as things are; zero: it will not be
	PaidMsat    int64
	RoutingMsat int64 // since the last restart
	HeldMsat    int64 // on its way, or about to be, with the most that routing may take
	UsedBytes   int64
	Allowance   int64
}

// PayStreams lists the pay streams that live, or ended a short while ago.
func (p *Payer) PayStreams() []PayerStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]PayerStatus, 0, len(p.streams))
	for _, s := range p.streams {
		out = append(out, p.statusLocked(s))
	}
	return out
}

// PayStream is one of them.
func (p *Payer) PayStream(h Handle) (PayerStatus, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.streams[h]
	if s == nil {
		return PayerStatus{}, fmt.Errorf("%q: %w", h, ErrNoPayStream)
	}
	return p.statusLocked(s), nil
}

func (p *Payer) statusLocked(s *payerStream) PayerStatus {
	now := p.cfg.Now()
	st := PayerStatus{
		Handle: s.handle, Status: s.status(now), Reason: s.reason, Relay: s.terms.Relay,
		Circuit: s.circuit, Path: s.path, Hop: s.hop, Controller: s.controller, NoPay: s.noPay,
		Continues: s.before, Opened: s.opened, Start: s.start,
		PaidMsat: s.toldMsat(), RoutingMsat: s.routeMsat, UsedBytes: s.used,
	}
	if s.payment != nil {
		st.HeldMsat = s.payment.HeldMsat()
	}
	if s.terms.Rounds == 0 { // only its payment was recovered
		return st
	}
	st.Round, st.Rounds, st.PaidThrough = s.current(now), s.terms.Rounds, s.paidThrough()
	st.Allowance = s.allowance()
	if r := s.next(); r <= s.terms.Rounds && !s.state.over() {
		st.DueMsat, st.DueAt, st.LateAt = s.dueMsat(), s.due(r), s.late(r)
		if s.state == payerLive && !s.noPay && !p.draining {
			st.PayAt = p.payMomentLocked(s, r)
		}
	}
	return st
}

// NoteBytes tells how many bytes a pay stream has tunnelled, so that it is paid
// before its allowance ends.
func (p *Payer) NoteBytes(h Handle, used int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.streams[h]
	if s == nil || used <= s.used || s.state.over() {
		return
	}
	near := s.nearlyUsed()
	s.used = used
	if !near && s.nearlyUsed() {
		p.planLocked(s)
	}
}

// NoteExhausted tells that the payee took no connection because the allowance is used
// up. The next round is paid at once, if it may be; whoever knows of no such limit asks
// the payee first.
func (p *Payer) NoteExhausted(h Handle) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.streams[h]; s != nil && !s.state.over() {
		s.refused = true
		if s.noPay || s.used < s.allowance() {
			s.doubt = true
		}
		p.planLocked(s)
	}
}
