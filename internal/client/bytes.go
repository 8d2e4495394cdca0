package client

import (
	"time"
)

// count adds tunnelled bytes.
func (p *circuit) count(n int) { p.bytes.Add(int64(n)) }

// firstByte notes how long a connection waited for its first byte.
func (p *circuit) firstByte(took time.Duration) {
	p.mu.Lock()
	p.quality.firstByte(p.c.cfg.Now(), took)
	p.mu.Unlock()
	p.c.book.FirstByte(p.terms.Relay, took)
}

// waitedFor notes that somebody waited for bytes between two moments, the second of
// which is now, unless it was a target's fault. Several who wait at once wait once.
func (p *circuit) waitedFor(target string, from, now int64) {
	if p.c.slow.elsewhere(target, p.terms.Relay) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if from = max(from, p.covered); now > from {
		p.waited += time.Duration(now - from)
		p.covered = now
	}
}

// look takes a sample, and tells the engine how much of the allowance is used.
func (p *circuit) look() {
	bytes := p.bytes.Load()
	p.mu.Lock()
	p.quality.note(p.c.cfg.Now(), bytes, p.waited, 2*p.terms.Interval)
	pay := p.pay
	if pay.handle != "" && p.c.cfg.Now().Before(pay.begins) {
		p.pay.from = bytes // still counts to the pay stream before
		pay = p.before
	}
	p.mu.Unlock()
	p.c.NoteBytes(pay.handle, bytes-pay.from)
}
