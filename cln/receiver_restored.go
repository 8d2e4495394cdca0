package cln

import (
	"context"
	"fmt"
	"time"

	"github.com/el-tor/tops/paystream"
)

// Restored says that a node's history is not the one that was followed.
type Restored struct {
	At   time.Time
	Had  uint64 // the pay_index that had been followed
	From uint64 // the one after which everything is looked at once more
}

func (r Restored) String() string {
	return fmt.Sprintf("the lightning node was restored from an older state: its count of paid invoices is not the one that was followed to %d; "+
		"what it was paid after %d is looked at once more, and nothing is credited twice", r.Had, r.From)
}

// clockSlack is how far the node's clock may have been set back since the last payment.
const clockSlack = 10 * time.Minute

// Remembers reports whether the node still has the payment at a position: it was not restored from an older state since,
// and did not delete it either. A position whose payment is not known is believed if the node was paid as often.
func (r *Receiver) Remembers(ctx context.Context, at paystream.Position) (bool, error) {
	if at.PayIndex == 0 {
		return true, nil
	}
	if at.PaymentHash != "" {
		inv, ok, err := r.c.InvoiceByHash(ctx, at.PaymentHash)
		return ok && inv.Status == "paid" && inv.PayIndex == at.PayIndex, unavailable(err)
	}
	inv, ok, err := r.paidAfter(ctx, at.PayIndex-1)
	return ok && inv.PayIndex == at.PayIndex, err
}

// paidAfter finds the first payment after a pay_index, without waiting for one.
func (r *Receiver) paidAfter(ctx context.Context, index uint64) (inv Invoice, ok bool, err error) {
	inv, err = r.c.WaitAnyInvoice(ctx, index, 0)
	if HasCode(err, CodeWaitTimeout) {
		return Invoice{}, false, nil
	}
	return inv, err == nil, unavailable(err)
}

// before finds the position before everything that was paid at or after a moment, which takes a few dozen questions.
func (r *Receiver) before(ctx context.Context, moment time.Time) (paystream.Position, error) {
	late := func(index uint64) (bool, error) { // is all that was paid after it that late?
		inv, ok, err := r.paidAfter(ctx, index)
		return !ok || !inv.PaidAt.Before(moment), err
	}
	low, high := uint64(0), uint64(0) // high is late; nothing below low is
	for step := uint64(1); ; step *= 2 {
		is, err := late(high)
		if err != nil {
			return paystream.Position{}, err
		}
		if is {
			break
		}
		low, high = high+1, high+step
	}
	for low < high {
		middle := low + (high-low)/2
		is, err := late(middle)
		switch {
		case err != nil:
			return paystream.Position{}, err
		case is:
			high = middle
		default:
			low = middle + 1
		}
	}
	at := paystream.Position{PayIndex: high}
	if high == 0 {
		return at, nil
	}
	inv, ok, err := r.paidAfter(ctx, high-1)
	if ok && inv.PayIndex == high {
		at = settlement(inv).Position()
	}
	return at, err
}

// compare asks a node that was just reached whether it remembers what was followed. If it does not, everything that was
// paid since then, by the node's clock, is followed once more: under indexes that had belonged to other payments, if it
// was restored from an older state; where the payment was only deleted nothing comes of it.
func (r *Receiver) compare(ctx context.Context, at paystream.Position, sink paystream.Sink) (paystream.Position, error) {
	remembers, err := r.Remembers(ctx, at)
	if err != nil || remembers {
		return at, err
	}
	if err := r.until(ctx, func(s progress) bool { return s.delivered >= s.read }); err != nil {
		return at, err
	}
	to, err := r.before(ctx, at.PaidAt.Add(-clockSlack))
	if err != nil {
		return at, err
	}
	if err := sink.Rewind(ctx, to); err != nil {
		return at, err
	}
	r.set(func(s *progress) { s.read, s.delivered = to.PayIndex, to.PayIndex })
	r.lost = at
	return to, nil
}

// sawAfterLoss looks at a payment that came after the node did not remember another: one that takes the place of what
// was followed before, and is younger, shows that the node was restored. It is told once.
func (r *Receiver) sawAfterLoss(inv Invoice, from uint64) {
	lost := r.lost
	switch {
	case lost.PayIndex == 0:
		return
	case inv.PayIndex > lost.PayIndex:
		r.lost = paystream.Position{} // the node has been paid more often than ever: it had deleted the other
		return
	case inv.PayIndex == lost.PayIndex && inv.PaymentHash != lost.PaymentHash, inv.PaidAt.After(lost.PaidAt):
		r.lost = paystream.Position{}
		r.onRestored(Restored{At: r.now(), Had: lost.PayIndex, From: from})
	}
}
