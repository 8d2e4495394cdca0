package client

import (
	"context"
	"time"

	"github.com/el-tor/tops/paystream"
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
}

// note adds a look at the circuit.
func (q *quality) note(now time.Time, bytes int64, waiting bool, keep time.Duration) {
	if waiting && !q.last.at.IsZero() {
		q.last.waited += now.Sub(q.last.at)
	}
	q.last.at, q.last.bytes = now, bytes
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

// answerWithin is how long a relay has to show that it is there.
const answerWithin = 3 * time.Second

// Worth judges the service of a pay stream: the pace while somebody waited for
// bytes, and whether a relay on which a transfer stopped still answers at all. An
// idle round is worth its price.
func (c *Client) Worth(h paystream.Handle, since time.Time) bool {
	c.mu.Lock()
	p := c.byPay[h]
	c.mu.Unlock()
	if p == nil {
		return true
	}
	bytes, waited := p.judge(since)
	if least := p.terms.Interval / 10; waited >= least && float64(bytes) < float64(c.policy.MinGoodput)*waited.Seconds() {
		return false
	}
	if !p.anySilent() {
		return true
	}
	hash, err := c.Hash(h)
	if err != nil {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), min(answerWithin, p.terms.Interval/6))
	defer cancel()
	_, err = p.link.View(ctx, hash)
	return err == nil
}
