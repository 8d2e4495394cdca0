package client

import (
	"context"
	"errors"
)

// want has the circuit paid for: the relay hears of it now, and not before.
func (p *circuit) want() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.begun {
		p.begun = true
		close(p.start)
	}
}

// wanted waits until somebody wants the circuit.
func (p *circuit) wanted(ctx context.Context) error {
	select {
	case <-p.start:
		return nil
	case <-p.empty:
		return errUnwanted
	case <-p.tor().Done():
		return p.tor().Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errUnwanted is the end of a spare circuit that nobody came to use.
var errUnwanted = errors.New("the circuit is not wanted any more")

// begin implements member.
func (p *circuit) begin(ctx context.Context) error {
	p.want()
	return p.wait(ctx)
}

// retire implements member: connections that are open go on, and the circuit ends
// with the last of them.
func (p *circuit) retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retired, p.drains = true, true
	p.drainLocked()
}

func (p *circuit) drainLocked() {
	if p.drains && p.users == 0 {
		select {
		case p.empty <- struct{}{}:
		default:
		}
	}
}
