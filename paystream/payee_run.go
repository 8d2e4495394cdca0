package paystream

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// longestSleep bounds how long the agenda may sleep: a machine that was
	// suspended does not run timers, and they are late by as much afterwards.
	longestSleep = 30 * time.Second

	// heartbeat is how often the node is asked when no deadline asks it, so that
	// an outage is seen while it lasts.
	heartbeat = 2 * time.Second

	// answerWithin is how long the node has for an answer.
	answerWithin = 5 * time.Second
)

// Run follows the node and the clock until ctx ends. Call Recover first, and
// Checkpoint afterwards.
func (p *Payee) Run(ctx context.Context) error {
	p.mu.Lock()
	from := p.at
	p.mu.Unlock()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.cfg.Receiver.Run(ctx, from, p) })
	g.Go(func() error { return p.keepTime(ctx) })
	g.Go(func() error { return p.keepJudging(ctx) })
	g.Go(func() error { return p.keepWriting(ctx) })
	return g.Wait()
}

// keepTime looks at each pay stream when its moment has come.
func (p *Payee) keepTime(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.wake:
		case <-timer.C:
		}
		timer.Reset(p.catchUp())
	}
}

// catchUp deals with every appointment that is due, and says how long there is
// nothing to do.
func (p *Payee) catchUp() time.Duration {
	now := p.cfg.Now()
	p.mu.Lock()
	p.noteLocked(p.ticksLocked(now))
	sleep := longestSleep
	if _, at, ok := p.agenda.next(); ok {
		sleep = min(sleep, at.Sub(now))
	}
	p.mu.Unlock()
	return sleep
}

// keepWriting writes down what changed, apart from those who change it: no
// deadline waits for the disk. What cannot be written is tried again.
func (p *Payee) keepWriting(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.write:
		}
		for told := false; ; told = true {
			err := p.writeUnwritten(ctx)
			if err == nil {
				break
			}
			if !told {
				p.cfg.OnError(err)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(heartbeat):
			}
		}
	}
}

// ticksLocked keeps every appointment up to now.
func (p *Payee) ticksLocked(now time.Time) (changed []*payeeStream) {
	for {
		s, at, ok := p.agenda.next()
		if !ok || at.After(now) {
			return changed
		}
		changed = append(changed, p.tickLocked(s, now)...)
	}
}

// keepJudging asks the node for its watermark: when a deadline has passed, and
// now and then to see whether it still answers.
func (p *Payee) keepJudging(ctx context.Context) error {
	beat, sweep := time.NewTicker(heartbeat), time.NewTicker(time.Minute)
	defer beat.Stop()
	defer sweep.Stop()
	for {
		retry, err := p.judgeOnce(ctx)
		if err != nil {
			return err
		}
		if retry {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
			}
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.judge:
		case <-beat.C:
		case <-sweep.C:
			p.sweepUnclaimed()
		}
	}
}

// judgeOnce asks for the watermark and judges what lies behind it.
func (p *Payee) judgeOnce(ctx context.Context) (retry bool, err error) {
	asked := p.cfg.Now()
	ask, cancel := context.WithTimeout(ctx, answerWithin)
	upTo, err := p.cfg.Receiver.Sync(ask)
	cancel()
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	now := p.cfg.Now()
	if err != nil {
		p.nodeSilent(asked, now)
		return true, nil
	}
	p.mu.Lock()
	p.noteLocked(p.judgeLocked(upTo, now))
	p.mu.Unlock()
	return false, nil
}

// nodeSilent notes that the node did not answer, and pauses the carrier once
// that has lasted too long.
func (p *Payee) nodeSilent(asked, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.node.silent(asked)
	if now.Sub(p.node.since) >= p.cfg.OutageGrace && !p.node.paused {
		p.node.paused = true
		p.cfg.Carrier.Pause(true)
	}
}

// judgeLocked judges every deadline before the watermark. The deadlines that
// passed in an outage move, once: their payers could not pay either.
func (p *Payee) judgeLocked(upTo, now time.Time) (changed []*payeeStream) {
	changed = p.ticksLocked(now)
	from, outage := p.node.answered(upTo)
	if p.node.paused {
		p.node.paused = false
		p.cfg.Carrier.Pause(false)
	}
	for s := range p.overdue {
		r := s.nextPayable()
		late := s.late(r)
		switch {
		case s.state.over(), s.full(), late.After(now):
			delete(p.overdue, s)
			p.scheduleLocked(s, now)
		case outage && !late.Before(from) && r > s.movedRound:
			delete(p.overdue, s)
			s.move(now, now.Add(max(s.tariff.Grace, 30*time.Second)))
			changed = append(changed, s)
			p.scheduleLocked(s, now)
		case !upTo.Before(late):
			changed = append(changed, p.applyLocked(s, payeeOverdue, ReasonLate, now)...)
		}
	}
	if len(p.overdue) > 0 {
		signal(p.judge)
	}
	return changed
}

// Away reports whether the payee's node does not answer, and since when.
func (p *Payee) Away() (since time.Time, away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.node.since, p.node.away(p.cfg.Now())
}

// sweepUnclaimed forgets unclaimed money that nobody came for.
func (p *Payee) sweepUnclaimed() {
	now := p.cfg.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for note, list := range p.unclaimed {
		if newest := list[len(list)-1]; now.Sub(newest.PaidAt) > RememberFor {
			delete(p.unclaimed, note)
		}
	}
}
