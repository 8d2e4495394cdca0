package paystream_test

import (
	"time"

	"github.com/el-tor/tops/paystream"
)

// A node that came back is asked again after a second, and a question that was
// lost takes five.
const payeeNotices = 7 * time.Second

// observe holds the payee to every promise, while nothing is under way.
func (l *payeeLife) observe() {
	if err := l.Check(); err != nil {
		l.fault("%v", err)
	}
	booked := l.checkBooks()
	for _, c := range l.payers {
		l.checkCut(c)
		v, err := l.View(l.t.Context(), c.hash)
		if err != nil {
			continue
		}
		if has := booked[c.handle]; v.BalanceMsat > has || v.BalanceMsat < has && !l.lossy.lately() {
			l.fault("%s: the balance is %d msat, the journal has %d", c.handle, v.BalanceMsat, booked[c.handle])
		}
		if got := l.received(c, time.Now().Add(time.Nanosecond)); v.BalanceMsat > got {
			l.fault("%s: %d msat credited, %d received", c.handle, v.BalanceMsat, got)
		}
		l.checkAllowance(c, v, booked)
		l.checkService(c, v)
	}
	if !l.failing && time.Since(l.trouble) > payeeNotices {
		l.checkJournal()
	}
}

// checkBooks looks for money that was not received, or went elsewhere, and
// returns the balances that the bookings make.
func (l *payeeLife) checkBooks() map[paystream.Handle]int64 {
	owner := make(map[paystream.Handle]*payeeCustomer)
	for _, c := range l.payers {
		owner[c.handle] = c
	}
	balance := make(map[paystream.Handle]int64)
	for _, k := range l.journal.Bookings() {
		l.node.mu.Lock()
		paid := l.node.paid[k.PayIndex-1]
		l.node.mu.Unlock()
		if k.PaymentHash != paid.PaymentHash || k.AmountMsat != paid.AmountMsat {
			l.fault("booked %+v, the node got %+v", k, paid)
		}
		if k.Kind == paystream.BookedUnclaimed {
			continue
		}
		note := paystream.RoundID(k.Note)
		if k.OfferID == "" {
			note = paystream.RoundID(k.Label[:64])
		}
		if c := owner[k.Handle]; c == nil || !c.ids[note] || k.OfferID != "" && k.OfferID != ourOffer {
			l.fault("%+v is booked to a pay stream that it was not paid to", k)
		}
		if k.Kind == paystream.BookedCredit {
			balance[k.Handle] += k.AmountMsat
		}
	}
	return balance
}

// checkJournal compares what would be recovered with what is there.
func (l *payeeLife) checkJournal() {
	st, err := l.journal.LoadPayee(l.t.Context(), l.now().Add(-paystream.RememberFor))
	if err != nil {
		l.fault("LoadPayee: %v", err)
	}
	known := make(map[paystream.Handle]bool)
	status := l.PayStreams()
	for _, r := range st.Streams {
		known[r.Handle] = true
		s, ok := status[r.Handle]
		if !ok {
			continue // forgotten at this very moment
		}
		over := s.Status == paystream.StatusCompleted || s.Status == paystream.StatusClosed
		if over == r.Closed.IsZero() || s.Reason != r.Reason || s.FeeMsat != r.FeeMsat {
			l.fault("the journal has %+v, the engine %+v", r, s)
		}
	}
	for h, s := range status {
		if s.BalanceMsat > 0 && !known[h] {
			l.fault("%s was credited %d msat and is not in the journal", h, s.BalanceMsat)
		}
	}
	for _, u := range st.Unclaimed {
		for _, c := range l.payers {
			s, ok := status[c.handle]
			if ok && s.DueMsat > 0 && u.OfferID != "" && c.ids[paystream.RoundID(u.Note)] {
				l.fault("%d msat for %s are unclaimed", u.AmountMsat, c.handle)
			}
		}
	}
}

// checkCut: nobody is cut for being late of whom everything that was due had
// settled in time, however late it was delivered.
func (l *payeeLife) checkCut(c *payeeCustomer) {
	reason, stopped := l.carrier.stopReason(c.handle)
	if !stopped || c.wasCut {
		return
	}
	c.wasCut = true
	if reason != paystream.ReasonLate {
		return
	}
	l.carrier.mu.Lock()
	at := l.carrier.cutAt[c.handle]
	l.carrier.mu.Unlock()
	if c.isLate(l, at) {
		return
	}
	for _, before := range l.payers {
		if in := c.intent.Continues; in != nil && in.Hash == before.hash && before.isLate(l, at) {
			return
		}
	}
	l.fault("%s was cut %s after it began, and had paid in time", c.handle, at.Sub(c.began))
}

// isLate reports whether a round whose deadline has passed was not paid by then.
func (c *payeeCustomer) isLate(l *payeeLife, now time.Time) bool {
	prices := c.terms.Schedule()
	var moved time.Time // no round is late before one that comes before it
	for r := prices.FirstPriced(); r <= c.terms.Rounds; r++ {
		deadline := c.deadline(r)
		if late := c.late[r]; late.After(moved) {
			moved = late
		}
		if moved.After(deadline) {
			deadline = moved
		}
		if !deadline.After(now) && prices.PaidThrough(l.received(c, deadline), c.feeMsat) < r {
			return true
		}
	}
	return false
}

// deadline of round r as the terms have it, in true time.
func (c *payeeCustomer) deadline(r int) time.Time {
	return c.began.Add(c.terms.Due(r) + c.terms.Grace)
}

// checkAllowance: the carrier is never told more than the balance gives, and a
// continuation is served only if the one before it is paid in full.
func (l *payeeLife) checkAllowance(c *payeeCustomer, v paystream.View, booked map[paystream.Handle]int64) {
	l.carrier.mu.Lock()
	allowed, ok := l.carrier.allowed[c.handle]
	l.carrier.mu.Unlock()
	if !ok {
		return
	}
	prices := c.terms.Schedule()
	balance := booked[c.handle]
	covered := prices.PricedThrough(prices.PaidThrough(balance, c.feeMsat))
	gives := c.terms.FreeBytes
	if balance > 0 {
		gives += c.terms.RoundBytes * int64(covered+1)
	}
	if c.intent.Continues != nil {
		gives = c.terms.FreeBytes + c.terms.RoundBytes*int64(c.terms.FreeRounds+covered+1)
		for _, before := range l.payers {
			if before.hash == c.intent.Continues.Hash && booked[before.handle] < before.terms.Schedule().TotalMsat()+before.feeMsat {
				l.fault("%s is served, and what it continues was paid %d msat", c.handle, booked[before.handle])
			}
		}
	}
	if allowed > gives || v.Allowance > gives {
		l.fault("%s: the carrier may tunnel %d bytes, the view says %d, the balance gives %d", c.handle, allowed, v.Allowance, gives)
	}
}

// checkService: who has not paid is served until the deadline, as an outage may
// have moved it, once, and no longer.
func (l *payeeLife) checkService(c *payeeCustomer, v paystream.View) {
	if v.DueMsat == 0 {
		return // over, or paid in full
	}
	// In true time: the engine's own clock only shifts while it is not there.
	began, late := time.Now().Add(-v.Elapsed), time.Now().Add(v.LateIn)
	if !c.asked.IsZero() && !began.Before(c.asked) { // it was forgotten, and has begun again
		c.beganAt(began, l.shifted)
	}
	// Each time that the clock was set back may have given its payers as much.
	if given := l.shifted - c.shifted; began.Before(c.began) || began.After(c.began.Add(given)) {
		l.fault("%s began at %s, the payee says %s (set back by %s)", c.handle, c.began, began, given)
	}
	if began.After(c.began) {
		c.beganAt(began, l.shifted)
	}
	r := max(v.PaidThrough+1, c.terms.Schedule().FirstPriced())
	if had, ok := c.late[r]; ok && !had.Equal(late) {
		c.moves[r]++
		if had.After(late) {
			l.fault("%s: the deadline of round %d moved back from %s to %s", c.handle, r, had, late)
		}
		if c.moves[r] > 1 && !l.doubt {
			l.fault("%s: the deadline of round %d moved %d times", c.handle, r, c.moves[r])
		}
	}
	c.late[r] = late
	if c.pending(l) {
		return // it is not served yet
	}
	latest := c.deadline(r)
	if moved := l.trouble.Add(payeeNotices + max(c.terms.Grace, 30*time.Second)); moved.After(latest) {
		latest = moved
	}
	if late.After(latest) {
		l.fault("%s: round %d is late at %s, %s after its deadline", c.handle, r, late.Sub(c.began), late.Sub(c.deadline(r)))
	}
	if since, away := l.Away(); away {
		if l.carrier.isPaused() != (l.now().Sub(since) >= 10*time.Minute+payeeNotices) && l.now().Sub(since) > 10*time.Minute+payeeNotices {
			l.fault("the node is away for %s, and the carrier goes on", l.now().Sub(since))
		}
		return // nobody can be judged
	}
	if !l.failing && time.Since(l.trouble) > payeeNotices && !time.Now().Before(late) {
		l.fault("%s is served %s after the deadline of round %d", c.handle, -v.LateIn, r)
	}
}

func (c *payeeCustomer) pending(l *payeeLife) bool {
	return l.PayStreams()[c.handle].Status == paystream.StatusIntent
}
