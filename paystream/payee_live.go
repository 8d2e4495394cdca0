package paystream

import (
	"cmp"
	"slices"
)

// Live lists up to limit of the pay streams that are not over, for people to look
// at: those that have paid before the others, and the latest first. The load says
// how many there are in all. A flood of intents makes the list no longer.
func (p *Payee) Live(limit int) ([]PayeeStatus, Load) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*payeeStream, 0, p.live)
	for _, s := range p.byHandle {
		if !s.state.over() {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b *payeeStream) int {
		return cmp.Or(cmp.Compare(paid(b), paid(a)), b.start.Compare(a.start), cmp.Compare(a.handle, b.handle))
	})
	now := p.cfg.Now()
	var out []PayeeStatus
	for _, s := range all[:min(len(all), max(limit, 0))] {
		out = append(out, PayeeStatus{View: p.viewLocked(s, now), Status: s.status(now), Reason: s.reason, Rounds: s.tariff.Rounds})
	}
	return out, Load{PayStreams: p.live, Free: p.free}
}

// paid is 1 for a pay stream that money was credited to.
func paid(s *payeeStream) int {
	if s.credited {
		return 1
	}
	return 0
}
