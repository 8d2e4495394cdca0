package paystream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/el-tor/tops/policies"
)

// OpenRequest says what pay stream is wanted.
type OpenRequest struct {
	Terms policies.Terms
	Link  Link

	Circuit    string   // tor's circuit id
	Path       []string // fingerprints, guard first, to know the circuit again after a restart
	Hop        int      // which of them is paid, 1 is the guard
	Controller string   // whose budget pays

	// Continues names the pay stream that this one goes on from. Open then waits
	// for that one's last round.
	Continues *Handle

	// Preimage is the secret of a pay stream whose hash a controller brought; nil:
	// one is drawn. It must not have been used before.
	Preimage *Preimage

	// RoundIDs are the notes of rounds 1 to the last, if a controller brought
	// them.
	RoundIDs []RoundID

	// NoPay says that the controller pays by itself: deadlines are followed, and
	// nothing is paid. What it costs is not held to the policy then.
	NoPay bool

	// Keep says that a pay stream whose opening is paid is kept, not closed, if ctx
	// ends first, and that a relay that is not heard of is waited for until then: it
	// must not have heard of the pay stream before. With the preimage of one that
	// [Payer.Take] gave out, that one is opened again.
	Keep bool
}

// Open begins a pay stream and returns once the relay has admitted it; Run must
// be running. An opening demand within the terms is paid, once. A *[Refusal]
// wraps what the policy, the budget or the relay said: a *[TermsChanged] carries
// the terms to try next. If ctx ends first, the pay stream is closed.
func (p *Payer) Open(ctx context.Context, req OpenRequest) (Handle, error) {
	if err := req.Terms.Validate(); err != nil {
		return "", fmt.Errorf("terms: %w", err)
	}
	if req.RoundIDs != nil && len(req.RoundIDs) != req.Terms.Rounds {
		return "", fmt.Errorf("%d round ids for %d rounds", len(req.RoundIDs), req.Terms.Rounds)
	}
	if err := p.cfg.Policy.Check(req.Terms); err != nil && !req.NoPay {
		return "", &Refusal{Reason: ReasonPolicy, Err: err}
	}
	h, err := p.open(ctx, req)
	if req.Preimage == nil && (errors.Is(err, ErrRetired) || errors.Is(err, ErrConflict)) {
		h, err = p.open(ctx, req) // once more, with a fresh preimage
	}
	return h, err
}

// Refusal says why a pay stream did not begin.
type Refusal struct {
	Reason Reason
	Err    error // what was said, if anything was
}

func (r *Refusal) Error() string {
	if r.Err == nil {
		return fmt.Sprintf("no pay stream: %s", r.Reason)
	}
	return fmt.Sprintf("no pay stream: %s: %v", r.Reason, r.Err)
}

func (r *Refusal) Unwrap() error { return r.Err }

func (p *Payer) open(ctx context.Context, req OpenRequest) (Handle, error) {
	s, err := p.newStream(req)
	if err != nil {
		return "", err
	}
	var settled chan struct{}
	p.locked(func() { settled, s.dirty = s.settled, true })
	if err := p.save(ctx, s); err != nil { // the intent is durable before the relay hears of it
		_ = req.Keep && p.keepWaiting(s, settled)
		return "", fmt.Errorf("journal: %w", err)
	}
	var dear error
	p.locked(func() {
		p.streams[s.handle] = s
		if old := p.streams[s.before]; old != nil {
			old.after = s
		}
		p.emitLocked(s, StatusTerms, "")
		if dear = p.tooDearLocked(s.terms); dear != nil && !s.noPay && !(req.Keep && p.keepLocked(s)) {
			s.err = dear
			p.applyLocked(s, payerDenied, ReasonFee)
		}
		p.planLocked(s)
	})
	select {
	case <-settled:
	case <-ctx.Done():
		if req.Keep && p.keepWaiting(s, settled) {
			return "", ctx.Err()
		}
		err := p.Close(context.WithoutCancel(ctx), s.handle, ReasonClient)
		return "", errors.Join(ctx.Err(), err)
	case <-p.ended:
		return "", ErrNotReady // Recover offers it after the restart
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case s.kept && dear != nil:
		return "", &Refusal{Reason: ReasonFee, Err: dear}
	case s.kept:
		return "", ErrKept
	case s.state != payerRefused && s.state != payerClosed:
		return s.handle, nil
	case s.paidMsat > 0: // not to be begun anew without being asked: it would be paid for again
		return "", &Refusal{Reason: s.reason, Err: fmt.Errorf("after %d msat were paid: %v", s.paidMsat, s.err)}
	default:
		return "", &Refusal{Reason: s.reason, Err: s.err}
	}
}

func (p *Payer) newStream(req OpenRequest) (*payerStream, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.recovered || p.draining {
		return nil, ErrNotReady
	}
	now := p.cfg.Now()
	preimage := NewPreimage()
	if req.Preimage != nil {
		preimage = *req.Preimage
	}
	if h := preimage.Hash().Handle(); p.streams[h] != nil {
		if s := p.streams[h]; req.Keep && s.kept && s.taken && s.terms == req.Terms {
			p.openAgainLocked(s, req)
			return s, nil
		}
		return nil, fmt.Errorf("pay stream %s: %w", h, ErrRetired)
	}
	s := makeStream(PayerRecord{
		Preimage: preimage, Terms: req.Terms, RoundIDs: req.RoundIDs, NoPay: req.NoPay,
		Circuit: req.Circuit, Path: req.Path, Hop: req.Hop, Controller: req.Controller,
		Opened: now, Start: now,
	})
	s.link, s.patient = req.Link, req.Keep
	s.by, s.earliest = now.Add(p.cfg.OpenFor), now
	s.settled = make(chan struct{})
	if req.Continues == nil {
		return s, nil
	}
	old := p.streams[*req.Continues]
	switch {
	case old == nil:
		return nil, fmt.Errorf("continue %q: %w", *req.Continues, ErrNoPayStream)
	case old.state != payerLive || old.terms.Relay != req.Terms.Relay:
		return nil, fmt.Errorf("continue %q: it is not a live pay stream with this relay", *req.Continues)
	case old.after != nil && !old.after.state.over():
		return nil, fmt.Errorf("continue %q: it is being continued already", *req.Continues)
	}
	last := old.terms.Rounds
	s.before = old.handle
	s.continues = &Continuation{Hash: old.hash, Preimage: old.preimage}
	s.start = old.due(last)
	s.earliest = s.start
	s.retry = old.due(last - 1).Add(-old.terms.Grace)
	s.by = old.due(last).Add(old.terms.Grace)
	return s, nil
}

// makeStream builds a pay stream from its record.
func makeStream(r PayerRecord) *payerStream {
	hash := r.Preimage.Hash()
	return &payerStream{
		preimage: r.Preimage, hash: hash, handle: hash.Handle(),
		terms: r.Terms, termsHash: r.Terms.Hash(), prices: r.Terms.Schedule(),
		ids: r.RoundIDs, noPay: r.NoPay, circuit: r.Circuit, path: r.Path, hop: r.Hop,
		controller: r.Controller, opened: r.Opened, before: r.Continues,
		start: r.Start, feeMsat: r.FeeMsat, paidMsat: r.PaidMsat, attempts: r.Attempts,
		reason: r.Reason, closed: r.Closed, payerPays: payerPays{since: r.Start},
	}
}

// deliver brings the intent to the relay. Doing so again is harmless.
func (p *Payer) deliver(ctx context.Context, s *payerStream) {
	p.mu.Lock()
	link, in, by, settled := s.link, s.intent(), s.by, s.settled
	p.mu.Unlock()
	if link == nil { // it was put aside just now
		return
	}
	bounded, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	ans, err := link.Open(bounded, in)
	if p.putAside(s, settled) {
		return
	}
	var demand *Demand
	if errors.As(err, &demand) {
		p.meet(ctx, s, demand)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.err = err
	now := p.cfg.Now()
	var busy *Busy
	var changed *TermsChanged
	switch {
	case err == nil && ans.FeeMsat > s.terms.FeeMsat:
		s.err = fmt.Errorf("the relay asks an opening fee of %d msat, its terms %d at most", ans.FeeMsat, s.terms.FeeMsat)
		p.applyLocked(s, payerDenied, ReasonTerms)
	case err == nil:
		p.admitLocked(s, ans)
	case errors.As(err, &changed):
		p.applyLocked(s, payerDenied, ReasonTerms)
	case errors.As(err, &busy) && now.Add(busy.RetryAfter).Before(by):
		s.retry = now.Add(max(busy.RetryAfter, time.Second))
	case errors.Is(err, ErrNotNow) && s.before != "" && now.Before(by): // our clock runs a little ahead of the relay's
		s.retry = now.Add(backoff(s.tries, 5*time.Second))
		s.tries++
	case finalAnswer(err) || !now.Before(by) && !s.patient:
		p.applyLocked(s, payerDenied, ReasonRelay)
	default: // the network's
		s.retry = now.Add(backoff(s.tries, 5*time.Second))
		s.tries++
	}
}

// finalAnswer reports whether asking again would get the same answer.
func finalAnswer(err error) bool {
	var busy *Busy
	for _, e := range []error{ErrRetired, ErrConflict, ErrPreimage, ErrMalformed, ErrUnknown, ErrNotNow} {
		if errors.Is(err, e) {
			return true
		}
	}
	return errors.As(err, &busy)
}

func (p *Payer) admitLocked(s *payerStream, ans Answer) {
	s.feeMsat, s.continues, s.retry = ans.FeeMsat, nil, time.Time{}
	p.hearLocked(s, ans)
	s.since = s.start
	p.applyLocked(s, payerAdmitted, "")
	if now := p.cfg.Now(); s.current(now) < s.prices.FirstPriced() {
		p.emitLocked(s, StatusFree, "")
	}
}

// meet pays what the relay asks before it admits a pay stream: the opening fee,
// or the first priced round ahead, and nothing else, once.
func (p *Payer) meet(ctx context.Context, s *payerStream, d *Demand) {
	p.mu.Lock()
	now := p.cfg.Now()
	first := s.prices.FirstPriced()
	fee := d.Note == s.note(0) && d.DueMsat <= s.terms.FeeMsat
	ahead := d.Note == s.note(first) && d.DueMsat <= s.prices.PriceMsat(first)
	s.err = d
	switch {
	case s.demanded && now.Before(s.by): // it has not heard of the payment yet
		s.retry = now.Add(backoff(s.tries, 5*time.Second))
		s.tries++
	case s.by.Sub(now) < minTime && s.trouble != "": // it could not be paid
		p.applyLocked(s, payerDenied, s.trouble)
	case s.demanded || s.before != "" || d.DueMsat <= 0 || !fee && !ahead:
		p.applyLocked(s, payerDenied, ReasonRelay)
	case s.noPay: // the controller's to pay; then the same intent is admitted
		s.demanded, s.retry = true, now.Add(backoff(s.tries, 5*time.Second))
		p.emitDueLocked(s, d.DueMsat)
	default:
		r := 0
		if !fee {
			r = first
		}
		p.mu.Unlock()
		p.start(ctx, s, r, r, d.DueMsat)
		return
	}
	p.mu.Unlock()
}
