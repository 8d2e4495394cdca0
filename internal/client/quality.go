package client

import (
	"context"
	"fmt"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// A sample is what a circuit had done by a moment, summed up from its start.
type sample struct {
	at     time.Time
	bytes  int64
	waited time.Duration // while somebody waited for bytes
}

// quality watches the pace of a circuit. Bytes are counted where the app gets
// them: that is exact at once, where CIRC_BW is a second late.
type quality struct {
	samples []sample // oldest first, no more than two rounds' worth
	last    sample
	firsts  []first // the latest
}

// first is how long a connection waited for its first byte.
type first struct {
	at   time.Time
	took time.Duration
}

const maxFirsts = 32

// note adds a look at the circuit: what has come in all, and how long it was waited for.
func (q *quality) note(now time.Time, bytes int64, waited, keep time.Duration) {
	q.last = sample{now, bytes, waited}
	if n := len(q.samples); n == 0 || now.Sub(q.samples[n-1].at) >= keep/128 {
		q.samples = append(q.samples, q.last)
	}
	for len(q.samples) > 1 && now.Sub(q.samples[1].at) > keep {
		q.samples = q.samples[1:]
	}
}

// since is what happened after a moment.
func (q *quality) since(at time.Time) (bytes int64, waited time.Duration) {
	from := sample{}
	for _, s := range q.samples {
		if s.at.After(at) {
			break
		}
		from = s
	}
	return q.last.bytes - from.bytes, q.last.waited - from.waited
}

// firstByte notes how long a connection waited for its first byte.
func (q *quality) firstByte(at time.Time, took time.Duration) {
	q.firsts = append(q.firsts, first{at, took})
	if len(q.firsts) > maxFirsts {
		q.firsts = q.firsts[1:]
	}
}

// pace is how fast it went since a moment. Goodput counts only if somebody waited for
// so long at least, first bytes only if there were so many. took are those that have not
// come yet, so long already.
func (q *quality) pace(since time.Time, least time.Duration, firsts int, took ...time.Duration) policies.Pace {
	pace := policies.Pace{Goodput: policies.UnknownGoodput}
	if bytes, waited := q.since(since); waited >= least && waited > 0 {
		pace.Goodput = int64(float64(bytes) / waited.Seconds())
	}
	for _, f := range q.firsts {
		if f.at.After(since) {
			took = append(took, f.took)
		}
	}
	if len(took) >= max(1, firsts) {
		pace.FirstByte = median(took)
	}
	return pace
}

// paceLocked is how fast the circuit was since a moment. A first byte that is waited for
// counts as one that came just now: it may never come.
func (p *circuit) paceLocked(since time.Time, least time.Duration, firsts int) policies.Pace {
	var late []time.Duration
	for t := range p.tunnels {
		if wait := t.unanswered(time.Now()); wait > inFlow && !p.c.slow.elsewhere(t.target, p.terms.Relay) {
			late = append(late, wait)
		}
	}
	return p.quality.pace(since, least, firsts, late...)
}

// Worth judges the service of a pay stream: the pace while somebody waited for
// bytes, against the policy and against what is usual here, and whether a relay on
// which a transfer stopped still answers at all. An idle round is worth its price.
func (c *Client) Worth(h paystream.Handle, since time.Time) bool {
	c.mu.Lock()
	p := c.byPay[h]
	c.mu.Unlock()
	if p == nil {
		return true
	}
	p.look()
	p.mu.Lock()
	pace := p.paceLocked(since, p.terms.Interval/10, 1)
	bytes, waited := p.quality.since(since)
	exit := h == p.pay.handle || h == p.before.handle
	p.mu.Unlock()
	err := c.policy.Judge(pace, c.history.usual(p.serial))
	if err == nil && p.anySilent(time.Now()) {
		err = p.answers(h)
	}
	if exit { // the middle's money buys the same service
		c.history.note(p.serial, pace)
		c.learn(p.terms.Relay, bytes, waited, err == nil)
	}
	if err != nil {
		c.failed(fmt.Errorf("circuit %s is left, and its round not paid: %w", p.tor().ID, err))
	}
	return err == nil
}

// answers asks a relay for the view of a pay stream. What it takes is left of the time
// for the payment, which ends with the grace.
func (p *circuit) answers(h paystream.Handle) error {
	hash, err := p.c.Hash(h)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), min(2*answerWithin, (p.terms.Interval+p.terms.Grace)/4))
	defer cancel()
	if _, err := p.link.View(ctx, hash); err != nil {
		return fmt.Errorf("%w: %w", errNoLife, err)
	}
	return nil
}

// learn enters a round into the book of experience.
func (c *Client) learn(relay string, bytes int64, waited time.Duration, good bool) {
	c.book.Goodput(relay, bytes, waited)
	switch {
	case !good:
		c.book.BadRound(relay)
	case waited > 0: // an idle round shows nothing
		c.book.GoodRound(relay)
	}
}
