package paystream

import (
	"context"
	"fmt"
)

// Recover reads the journal after a start; call it once, before Run. It returns
// the pay streams that are still live: the caller gives each its circuit again
// with Resume, or closes it. Until then nothing is paid for them, but what was on
// its way is looked up.
func (p *Payer) Recover(ctx context.Context) ([]PayerStatus, error) {
	secret, err := p.cfg.Journal.Secret(ctx)
	if err != nil {
		return nil, fmt.Errorf("payer journal: %w", err)
	}
	known, err := p.cfg.Journal.LoadPayer(ctx)
	if err != nil {
		return nil, fmt.Errorf("payer journal: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.secret = secret
	for _, r := range known.Streams {
		s := makeStream(r)
		if s.state, err = parsePayerState(r.State); err != nil {
			return nil, fmt.Errorf("payer journal: %q: %w", r.Handle, err)
		}
		s.doubt = true
		s.demanded = s.paidMsat > 0
		p.streams[s.handle] = s
	}
	for _, s := range p.streams {
		if old := p.streams[s.before]; old != nil {
			old.after = s
			if s.state == payerOpening {
				s.continues = &Continuation{Hash: old.hash, Preimage: old.preimage}
			}
		}
	}
	for _, r := range known.Payments {
		p.recoverPaymentLocked(r)
	}
	var live []PayerStatus
	for _, s := range p.streams {
		if !s.state.over() {
			live = append(live, p.statusLocked(s))
		}
	}
	p.recovered = true
	return live, nil
}

// recoverPaymentLocked takes up a payment that was not over. Before paying is
// durable the node is not asked to pay, so that an earlier step moved nothing.
func (p *Payer) recoverPaymentLocked(r PaymentRecord) {
	now := p.cfg.Now()
	s := p.streams[r.Handle]
	if s == nil || s.payment != nil { // its pay stream is over; the money may be on its way still
		s = &payerStream{
			handle: r.Handle, controller: r.Controller, circuit: r.Circuit,
			state: payerClosed, opened: r.Created, closed: r.Created,
		}
		if p.streams[r.Handle] == nil {
			p.streams[r.Handle] = s
		}
	}
	y := &payerPayment{PaymentRecord: r, retryFor: maxRetry, next: now, doubtful: r.Step == StepPaying, opening: s.state == payerOpening}
	if r.Step != StepPaying {
		y.Step, _ = paymentNext(r.Step, paymentDropped)
	}
	s.payment = y
	s.attempts = max(s.attempts, r.Attempt)
	// It was within the budget when it began. Whoever loads the budget from the
	// books has it held already, and then it stays so whatever the limits say.
	_ = p.cfg.Budget.Hold(now, y.Spend(), y.HeldMsat())
	p.planLocked(s)
}

// Resume gives a pay stream that was recovered its circuit again. The relay is
// asked before anything is paid.
func (p *Payer) Resume(h Handle, link Link) error { return p.setLink(h, link, true) }

// SetLink replaces the way to a relay.
func (p *Payer) SetLink(h Handle, link Link) error { return p.setLink(h, link, false) }

func (p *Payer) setLink(h Handle, link Link, doubt bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.streams[h]
	if s == nil {
		return fmt.Errorf("resume %q: %w", h, ErrNoPayStream)
	}
	s.link = link
	s.doubt = s.doubt || doubt
	if s.state == payerOpening && s.by.IsZero() {
		s.by = p.cfg.Now().Add(p.cfg.OpenFor)
	}
	p.planLocked(s)
	return nil
}

// Move tells that a pay stream goes on over another circuit of tor's.
func (p *Payer) Move(h Handle, circuit string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.streams[h]
	if s == nil {
		return fmt.Errorf("move %q: %w", h, ErrNoPayStream)
	}
	s.circuit, s.dirty, s.doubt = circuit, true, true
	p.planLocked(s)
	return nil
}
