package paystream

import (
	"context"
	"fmt"
	"strings"
)

// Deliver credits what the node received: a [Sink]. Settlements come in the
// order of their pay_index; those that were delivered before change nothing. It
// returns when they are durable and applied.
func (p *Payee) Deliver(ctx context.Context, batch []Settlement) error {
	p.books.Lock()
	defer p.books.Unlock()

	p.mu.Lock()
	last := p.at
	committed := p.committed
	p.mu.Unlock()

	var ours []Settlement
	for _, s := range batch {
		if s.PayIndex <= last.PayIndex {
			continue
		}
		last = s.Position()
		if p.isOurs(s) {
			ours = append(ours, s)
		}
	}
	if len(ours) == 0 && last.PayIndex-committed < unbookedIndexes {
		p.mu.Lock()
		p.at = last
		p.mu.Unlock()
		return nil
	}
	return p.bookLocked(ctx, PayeeBatch{Position: last}, ours)
}

// Rewind makes Deliver take what follows a position, again or for the first time:
// a [Sink]. What is booked stays booked, and is booked once.
func (p *Payee) Rewind(ctx context.Context, to Position) error {
	p.books.Lock()
	defer p.books.Unlock()
	if err := p.reread(ctx); err != nil {
		return err
	}
	if _, err := p.cfg.Journal.CommitPayee(context.WithoutCancel(ctx), PayeeBatch{Position: to, Rewind: true}); err != nil {
		p.doubt = true
		signal(p.write)
		return fmt.Errorf("journal where the node counts from again: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.committed = to, to.PayIndex
	return nil
}

// unbookedIndexes is how far the pay_index may run ahead of the journal over
// payments that are none of ours: they would only be walked again.
const unbookedIndexes = 256

// bookLocked makes settlements durable and applies them. The caller holds
// p.books. An intent may arrive between matching and applying: what was booked
// as unclaimed and has an owner by now is claimed in a second round.
func (p *Payee) bookLocked(ctx context.Context, b PayeeBatch, todo []Settlement) error {
	for {
		if err := p.reread(ctx); err != nil {
			return err
		}
		now := p.cfg.Now()
		var first map[*payeeStream]bool
		p.mu.Lock()
		b.Bookings, b.Streams = nil, nil
		for _, st := range todo {
			bk := Booking{Settlement: st, Kind: BookedUnclaimed, At: now}
			if s, r, ok := p.notes.find(noteOf(st)); ok {
				bk.Handle, bk.Round, bk.Kind = s.handle, r, BookedCredit
				if s.state.over() {
					bk.Kind = BookedLate
				}
				if !s.journalled {
					if first == nil {
						first = make(map[*payeeStream]bool)
					}
					s.unjournalled(first)
				}
			}
			b.Bookings = append(b.Bookings, bk)
		}
		for s := range first {
			b.Streams = append(b.Streams, p.recordLocked(s, now))
		}
		p.mu.Unlock()

		// A commit that is abandoned half-way has an outcome nobody knows.
		known, err := p.cfg.Journal.CommitPayee(context.WithoutCancel(ctx), b)
		if err != nil {
			p.doubt = true
			signal(p.write)
			return err
		}
		p.doubt = len(known) > 0
		p.mu.Lock()
		for s := range first {
			s.journalled = true
		}
		if b.PayIndex > 0 {
			p.at, p.committed = b.Position, b.PayIndex
		}
		todo = p.creditLocked(b.Bookings, known)
		p.mu.Unlock()
		if len(todo) == 0 {
			return p.reread(ctx)
		}
		b = PayeeBatch{}
	}
}

// unjournalled adds a pay stream that the journal has to know from its first
// credit on, and what it continues: without that one nobody could tell after a
// restart whether it may begin.
func (s *payeeStream) unjournalled(all map[*payeeStream]bool) {
	for ; s != nil && !s.journalled; s = s.continues {
		all[s] = true
	}
}

// creditLocked applies what is durable. It returns what has found its owner in
// the meantime.
func (p *Payee) creditLocked(bookings []Booking, known []string) (again []Settlement) {
	var skip map[string]bool // empty but after a crash
	if len(known) > 0 {
		skip = make(map[string]bool, len(known))
	}
	for _, h := range known {
		skip[h] = true
	}
	for _, bk := range bookings {
		if skip[bk.PaymentHash] {
			continue
		}
		note := noteOf(bk.Settlement)
		if bk.Kind == BookedUnclaimed {
			if _, _, ok := p.notes.find(note); ok {
				again = append(again, bk.Settlement)
			} else {
				p.dropUnclaimedLocked(note, bk.PaymentHash) // delivered again
				p.unclaimed[note] = append(p.unclaimed[note], bk.Settlement)
			}
			continue
		}
		p.dropUnclaimedLocked(note, bk.PaymentHash)
		if s := p.byHandle[bk.Handle]; bk.Kind == BookedCredit && s != nil {
			p.creditOneLocked(s, bk.AmountMsat)
		}
	}
	return again
}

func (p *Payee) creditOneLocked(s *payeeStream, amountMsat int64) {
	now := p.cfg.Now()
	s.balanceMsat += amountMsat
	s.credited = true
	p.countFreeLocked(s)
	if s.state.over() {
		return // closed while its last payment became durable: credited, and excess
	}
	if s.state != payeePending {
		p.cfg.Carrier.Allow(s.handle, s.allowance()-s.bytes)
	}
	p.emitLocked(s, StatusPaid, now)
	delete(p.overdue, s)
	p.scheduleLocked(s, now)
}

func (p *Payee) dropUnclaimedLocked(note RoundID, paymentHash string) {
	list, ok := p.unclaimed[note]
	if !ok {
		return
	}
	for i, st := range list {
		if st.PaymentHash == paymentHash {
			list = append(list[:i:i], list[i+1:]...)
			break
		}
	}
	if len(list) == 0 {
		delete(p.unclaimed, note)
	} else {
		p.unclaimed[note] = list
	}
}

// isOurs reports whether a settlement was paid to an offer of ours, or to a
// plain invoice that a gateway of ours made: its label is `<id>-<n>`, and its
// description tells it from those of another relay at the same node.
func (p *Payee) isOurs(s Settlement) bool {
	if s.OfferID != "" {
		return p.cfg.Ours(s.OfferID)
	}
	note := noteOf(s)
	if _, err := ParseRoundID(string(note)); err != nil {
		return false
	}
	if p.cfg.OursPlain == nil || s.Description == "" || p.cfg.OursPlain(s.Description) {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _, known := p.notes.find(note)
	return known
}

// noteOf is the id that a settlement was paid under.
func noteOf(s Settlement) RoundID {
	if s.OfferID != "" {
		return RoundID(s.Note)
	}
	id, _, _ := strings.Cut(s.Label, "-")
	return RoundID(id)
}
