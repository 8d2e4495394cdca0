package paystream

import (
	"fmt"

	"github.com/el-tor/tops/policies"
)

// Hash is the bearer secret under which a pay stream's connections are opened at
// the relay. It must not leave the process but for the wire.
func (p *Payer) Hash(h Handle) (PaymentIDHash, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.streams[h]
	if s == nil {
		return PaymentIDHash{}, fmt.Errorf("%q: %w", h, ErrNoPayStream)
	}
	return s.hash, nil
}

// Terms are those that a pay stream runs under.
func (p *Payer) Terms(h Handle) (policies.Terms, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.streams[h]
	if s == nil {
		return policies.Terms{}, fmt.Errorf("%q: %w", h, ErrNoPayStream)
	}
	return s.terms, nil
}
