package client

import (
	"errors"
	"time"
)

var errLeft = errors.New("the circuit has just been left")

// enter counts a connection that is to be made through the circuit.
func (p *circuit) enter() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left {
		return errLeft
	}
	p.users++
	p.used = p.c.cfg.Now()
	return nil
}

// goOut takes a connection away, or one that did not come about.
func (p *circuit) goOut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users--
	p.used = p.c.cfg.Now()
	p.drainLocked()
}

// addTunnel takes up a connection that was made.
func (p *circuit) addTunnel(t *tunnel) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left {
		return errLeft
	}
	p.tunnels[t] = struct{}{}
	return nil
}

func (p *circuit) dropTunnel(t *tunnel) {
	p.mu.Lock()
	delete(p.tunnels, t)
	p.mu.Unlock()
	p.goOut()
}

func (p *circuit) unused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.users == 0
}

func (p *circuit) usedSince(t time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.users > 0 || p.used.After(t)
}

// any reports whether something holds for one of the connections.
func (p *circuit) any(holds func(*tunnel) bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for t := range p.tunnels {
		if holds(t) {
			return true
		}
	}
	return false
}

// anyWaiting reports whether an app waits for bytes, of whatever pace.
func (p *circuit) anyWaiting(now time.Time) bool {
	return p.any(func(t *tunnel) bool { return t.awaited(now) || t.flowing(now) })
}

func (p *circuit) anySilent(now time.Time) bool {
	return p.any(func(t *tunnel) bool { return t.silent(now) })
}
