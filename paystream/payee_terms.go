package paystream

import "github.com/el-tor/tops/policies"

// TermsInUse are the terms that somebody may still pay by: those offered, those that
// are still accepted from who brings money, and those of pay streams that live.
func (p *Payee) TermsInUse() []policies.Terms {
	now := p.cfg.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	used := make(map[*tariff]bool)
	for _, t := range p.tariffs {
		if t.retired.IsZero() || now.Before(t.retired.Add(RememberFor)) {
			used[t] = true
		}
	}
	for _, s := range p.byHandle {
		if !s.state.over() {
			used[s.tariff] = true
		}
	}
	all := make([]policies.Terms, 0, len(used))
	for t := range used {
		all = append(all, t.Terms)
	}
	return all
}
