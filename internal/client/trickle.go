package client

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/el-tor/tops/paystream"
)

// A circuit that trickles is left before its round ends: when it has been waited for
// for so long, of late, and was too slow all the while.
const (
	trickleOver = 10 * time.Second // how far back is looked, or a round if that is less
	trickleFor  = 5 * time.Second  // how long was waited for bytes in that time, or half a round
	trickleOf   = 3                // connections that waited too long for their first byte; one may be its server's fault
)

// trickles says what is wrong with the pace of a circuit that somebody is waiting on
// just now; nil if it is good enough, or if nobody is.
func (p *circuit) trickles() error {
	over, least := min(trickleOver, p.terms.Interval), min(trickleFor, p.terms.Interval/2)
	p.mu.Lock()
	pace := p.paceLocked(p.c.cfg.Now().Add(-over), least, trickleOf)
	p.mu.Unlock()
	return p.c.policy.Judge(pace, p.c.history.usual(p.serial))
}

// leaveSlow leaves a circuit that trickles: its round is not paid, its exit is avoided
// and remembered for it. Connections that have no byte yet move to another circuit.
func (p *circuit) leaveSlow(ctx context.Context, why error) {
	now := time.Now()
	p.mu.Lock()
	since := p.c.cfg.Now().Add(-min(trickleOver, p.terms.Interval))
	bytes, waited := p.quality.since(since)
	pace := p.paceLocked(since, 0, 1)
	for t := range p.tunnels {
		if t.flowing(now) || t.unanswered(now) > inFlow {
			p.c.slow.note(t.target, p.terms.Relay, now)
		}
	}
	p.mu.Unlock()
	p.c.history.note(p.serial, pace)
	p.c.learn(p.terms.Relay, bytes, waited, false)
	p.c.avoid(p.terms.Relay)
	p.c.pool.drop(p)
	p.c.failed(fmt.Errorf("circuit %s is left, and its round not paid: %w", p.tor().ID, why))
	p.leave(ctx, paystream.ReasonQuality)
}

// slowTargets remembers, for a few minutes and in memory alone, which targets were slow
// through which relay: one that is slow through two of them is slow itself, and no
// relay is left for it again.
type slowTargets struct {
	mu   sync.Mutex
	seen map[string]slowTarget
}

type slowTarget struct {
	relay string
	at    time.Time
}

const (
	slowKnown = 10 * time.Minute
	maxSlow   = 256
)

// note enters a target that was slow through a relay. The relay of the first time
// stays.
func (s *slowTargets) note(target, relay string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = make(map[string]slowTarget)
	}
	for t, was := range s.seen {
		if now.Sub(was.at) >= slowKnown || len(s.seen) >= maxSlow {
			delete(s.seen, t)
		}
	}
	if was, known := s.seen[target]; known {
		relay = was.relay
	}
	s.seen[target] = slowTarget{relay, now}
}

// elsewhere reports whether a target was slow through another relay.
func (s *slowTargets) elsewhere(target, relay string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, known := s.seen[target]
	return known && was.relay != relay && time.Since(was.at) < slowKnown
}
