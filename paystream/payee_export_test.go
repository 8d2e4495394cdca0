package paystream

import (
	"errors"
	"fmt"
)

// Check holds a payee's maps, counters and agenda to each other. Tests call it
// when nothing else is under way.
func (p *Payee) Check() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	live, free, notes := 0, 0, 0
	for h, s := range p.byHash {
		if s.hash != h || p.byHandle[s.handle] != s {
			fault("%s is not found by its handle", s.handle)
		}
		notes += s.tariff.Rounds + 1
		if !s.state.over() {
			live++
			if !s.continued && s.paidThrough() < s.tariff.prices.FirstPriced() {
				free++
			}
		}
		_, overdue := p.overdue[s]
		// One that waits for the pay stream before it is woken by that one's end.
		waits := s.state == payeePending && s.continues != nil && !s.continues.state.over()
		switch {
		case overdue && s.state.over():
			fault("%s is over and still to be judged", s.handle)
		case s.slot == 0 && !overdue && !waits:
			fault("%s (%s) is in no agenda", s.handle, s.state)
		case s.slot > 0 && p.agenda.heap[s.slot-1] != s:
			fault("%s is not at its place in the agenda", s.handle)
		}
	}
	if len(p.byHandle) != len(p.byHash) || p.live != live || p.free != free || len(p.notes.slots) != notes {
		fault("%d pay streams, %d handles, live %d (counted %d), free %d (counted %d), %d notes for %d",
			len(p.byHash), len(p.byHandle), live, p.live, free, p.free, len(p.notes.slots), notes)
	}
	for i, s := range p.agenda.heap {
		if p.byHash[s.hash] != s {
			fault("%s is forgotten and still in the agenda", s.handle)
		}
		if s.slot != i+1 {
			fault("%s believes to be at %d of the agenda, it is at %d", s.handle, s.slot-1, i)
		}
	}
	for s := range p.overdue {
		if p.byHash[s.hash] != s {
			fault("%s is forgotten and still to be judged", s.handle)
		}
	}
	return errors.Join(errs...)
}

// Remembered is how many pay streams, notes of theirs and unclaimed payments a
// payee holds in memory.
func (p *Payee) Remembered() (payStreams, notes, unclaimed int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.byHash), len(p.notes.slots), len(p.unclaimed)
}
