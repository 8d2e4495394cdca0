package paystream_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// payerRelay is a relay with one pay stream.
type payerRelay struct {
	mu          sync.Mutex
	terms       policies.Terms
	answer      func() error // to the next intent or question, if not nil
	demand      *paystream.Demand
	demandRound int
	fee         int64
	start       time.Time
	intents     []paystream.Intent
	balance     map[paystream.RoundID]int64 // everything that was received
	hash        paystream.PaymentIDHash
	ended       bool
	closed      bool
	begins      time.Time // of a continuation
	moved       time.Time
	bytes       int64
	clock       func() time.Time // the payer's, if it is not ours
	views       int
	asked11     int
}

func newPayerRelay(n *payerNode, terms policies.Terms) *payerRelay {
	r := &payerRelay{terms: terms, balance: make(map[paystream.RoundID]int64)}
	n.locked(func() { n.credits = r.credit })
	return r
}

// credit is how its node tells the relay of a payment.
func (r *payerRelay) credit(note paystream.RoundID, msat int64) {
	r.locked(func() { r.balance[note] += msat })
}

func (r *payerRelay) locked(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// viewed is how often it was asked for its view.
func (r *payerRelay) viewed() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.views
}

func (r *payerRelay) received() (sum int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.balance {
		sum += v
	}
	return sum
}

func (r *payerRelay) Open(ctx context.Context, in paystream.Intent) (paystream.Answer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := time.Now()
	r.intents = append(r.intents, in)
	if r.answer != nil {
		if err := r.answer(); err != nil {
			return paystream.Answer{}, err
		}
	}
	if r.demand != nil {
		note := in.Hash.RoundID(in.TermsHash, r.demandRound)
		if r.balance[note] < r.demand.DueMsat {
			return paystream.Answer{}, &paystream.Demand{DueMsat: r.demand.DueMsat, Note: note}
		}
	}
	if r.hash != in.Hash {
		r.hash, r.start = in.Hash, asked
		if !r.begins.IsZero() {
			r.start = r.begins
		}
	}
	return r.viewLocked(in.Hash)
}

func (r *payerRelay) viewLocked(h paystream.PaymentIDHash) (paystream.Answer, error) {
	now := time.Now()
	if h != r.hash {
		return paystream.Answer{}, paystream.ErrUnknown
	}
	v := paystream.View{Handle: h.Handle(), Elapsed: now.Sub(r.start), FeeMsat: r.fee, Bytes: r.bytes}
	for _, msat := range r.balance {
		v.BalanceMsat += msat
	}
	s := r.terms.Schedule()
	v.PaidThrough = s.PaidThrough(v.BalanceMsat, r.fee)
	next := min(max(v.PaidThrough+1, s.FirstPriced()), r.terms.Rounds)
	late := r.start.Add(r.terms.Due(next) + r.terms.Grace)
	if r.moved.After(late) {
		late = r.moved
	}
	if v.PaidThrough < r.terms.Rounds && !now.Before(late) {
		r.closed = true
	}
	if r.closed {
		return paystream.Answer{View: v, Asked: r.askedAt(now)}, nil
	}
	if v.PaidThrough < r.terms.Rounds {
		v.DueMsat = r.fee + s.ThroughMsat(next) - v.BalanceMsat
	}
	v.DueIn = r.start.Add(r.terms.Due(next)).Sub(now)
	v.LateIn = late.Sub(now)
	return paystream.Answer{View: v, Asked: r.askedAt(now)}, nil
}

func (r *payerRelay) askedAt(now time.Time) time.Time {
	if r.clock != nil {
		return r.clock()
	}
	return now
}

func (r *payerRelay) View(ctx context.Context, h paystream.PaymentIDHash) (paystream.Answer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.views++
	if r.answer != nil {
		if err := r.answer(); err != nil {
			return paystream.Answer{}, err
		}
	}
	return r.viewLocked(h)
}

func (r *payerRelay) End(ctx context.Context, h paystream.PaymentIDHash, p paystream.Preimage) (paystream.Answer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.Hash() != h {
		return paystream.Answer{}, paystream.ErrPreimage
	}
	r.ended, r.closed = true, true
	return r.viewLocked(h)
}

func (r *payerRelay) Invoice(ctx context.Context, h paystream.PaymentIDHash, round int, msat int64) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked11++
	return fmt.Sprintf("lnbc%d-%d", round, msat), nil
}
