package memjournal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

var (
	_ paystream.PayeeJournal = (*Journal)(nil)
	_ paystream.PayerJournal = (*Journal)(nil)
)

// Journal is both journals. Its methods may be called from any goroutine.
type Journal struct {
	mu       sync.Mutex // guards the rest
	fail     error
	at       paystream.Position
	payee    map[paystream.Handle]paystream.PayeeRecord
	bookings map[string]paystream.Booking // by payment hash
	terms    map[policies.TermsHash]paystream.RetiredTerms
	payer    map[paystream.Handle]paystream.PayerRecord
	payments map[paymentKey]paystream.PaymentRecord
	secret   [32]byte
}

// paymentKey is what fixes the payer_metadata of a payment, and so the payment.
type paymentKey struct {
	handle     paystream.Handle
	note       paystream.RoundID
	amountMsat int64
	attempt    int
}

// New returns an empty journal.
func New() *Journal {
	j := &Journal{
		payee:    make(map[paystream.Handle]paystream.PayeeRecord),
		bookings: make(map[string]paystream.Booking),
		terms:    make(map[policies.TermsHash]paystream.RetiredTerms),
		payer:    make(map[paystream.Handle]paystream.PayerRecord),
		payments: make(map[paymentKey]paystream.PaymentRecord),
	}
	rand.Read(j.secret[:]) // never fails: see crypto/rand
	return j
}

// Fail makes every write fail with err until Fail(nil).
func (j *Journal) Fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fail = err
}

// Bookings returns everything booked, by pay_index, for tests to look at.
func (j *Journal) Bookings() []paystream.Booking {
	j.mu.Lock()
	defer j.mu.Unlock()
	return sorted(j.bookings, func(k paystream.Booking) (paystream.Booking, bool) { return k, true }, byPayIndex)
}

// Payments returns every payment, finished ones too, for tests to look at.
func (j *Journal) Payments() []paystream.PaymentRecord {
	j.mu.Lock()
	defer j.mu.Unlock()
	return sorted(j.payments, func(r paystream.PaymentRecord) (paystream.PaymentRecord, bool) { return r, true }, byCreation)
}

// writeLocked is the first step of every write.
func (j *Journal) writeLocked(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return j.fail
}

// CommitPayee implements [paystream.PayeeJournal].
func (j *Journal) CommitPayee(ctx context.Context, b paystream.PayeeBatch) (known []string, err error) {
	if err := checkBatch(b); err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.writeLocked(ctx); err != nil {
		return nil, err
	}
	// Nothing below can fail: all or nothing.
	for _, r := range b.Streams {
		j.payee[r.Handle] = asKeptPayee(r)
	}
	for _, k := range b.Bookings {
		if j.bookLocked(asKeptBooking(k)) {
			known = append(known, k.PaymentHash)
		}
	}
	for _, t := range b.Terms {
		t.Retired = asKept(t.Retired)
		j.terms[t.Terms.Hash()] = t
	}
	if b.Rewind || b.PayIndex > j.at.PayIndex {
		j.at = b.Position
		j.at.PaidAt = asKept(j.at.PaidAt)
	}
	return known, nil
}

func checkBatch(b paystream.PayeeBatch) error {
	for _, r := range b.Streams {
		if err := r.Terms.Validate(); err != nil {
			return fmt.Errorf("pay stream %s: %w", r.Handle, err)
		}
	}
	for _, t := range b.Terms {
		if err := t.Terms.Validate(); err != nil {
			return fmt.Errorf("terms offered: %w", err)
		}
	}
	booked := make(map[string]bool)
	for _, k := range b.Bookings {
		switch k.Kind {
		case paystream.BookedUnclaimed:
			continue
		case paystream.BookedCredit, paystream.BookedLate:
		default:
			return fmt.Errorf("payment %q is booked as %q", k.PaymentHash, k.Kind)
		}
		if booked[k.PaymentHash] {
			return fmt.Errorf("payment %q is booked twice in one batch", k.PaymentHash)
		}
		booked[k.PaymentHash] = true
	}
	return nil
}

// bookLocked enters a booking unless the payment is known; an unclaimed one is
// claimed, which changes no more than what became of it.
func (j *Journal) bookLocked(k paystream.Booking) (known bool) {
	old, seen := j.bookings[k.PaymentHash]
	switch {
	case !seen:
		j.bookings[k.PaymentHash] = k
	case old.Kind != paystream.BookedUnclaimed:
		return true
	case k.Kind != paystream.BookedUnclaimed:
		k.Settlement = old.Settlement
		j.bookings[k.PaymentHash] = k
	}
	return false
}

// LoadPayee implements [paystream.PayeeJournal].
func (j *Journal) LoadPayee(ctx context.Context, since time.Time) (paystream.PayeeState, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return paystream.PayeeState{}, err
	}
	balance := make(map[paystream.Handle]int64)
	for _, k := range j.bookings {
		if k.Kind == paystream.BookedCredit {
			balance[k.Handle] += k.AmountMsat
		}
	}
	live := func(end time.Time) bool { return end.IsZero() || end.After(since) }
	return paystream.PayeeState{
		Position: j.at,
		Streams: sorted(j.payee, func(r paystream.PayeeRecord) (paystream.PayeeRecord, bool) {
			r.BalanceMsat = balance[r.Handle]
			r.RoundIDs = slices.Clone(r.RoundIDs)
			return r, live(r.Closed)
		}, byStart),
		Unclaimed: sorted(j.bookings, func(k paystream.Booking) (paystream.Settlement, bool) {
			return k.Settlement, k.Kind == paystream.BookedUnclaimed && k.PaidAt.After(since)
		}, settlementByPayIndex),
		Terms: sorted(j.terms, func(t paystream.RetiredTerms) (paystream.RetiredTerms, bool) {
			return t, live(t.Retired)
		}, byRetirement),
	}, nil
}

// SavePayStream implements [paystream.PayerJournal].
func (j *Journal) SavePayStream(ctx context.Context, r paystream.PayerRecord) error {
	if err := r.Terms.Validate(); err != nil {
		return fmt.Errorf("pay stream %s: %w", r.Handle, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.writeLocked(ctx); err != nil {
		return err
	}
	j.payer[r.Handle] = asKeptPayer(r)
	return nil
}

// SavePayment implements [paystream.PayerJournal].
func (j *Journal) SavePayment(ctx context.Context, r paystream.PaymentRecord) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.writeLocked(ctx); err != nil {
		return err
	}
	key := paymentKey{r.Handle, r.Note, r.AmountMsat, r.Attempt}
	if j.payments[key].Step == paystream.StepPaid && r.Step != paystream.StepPaid {
		return errors.New("it is paid, and stays so")
	}
	j.payments[key] = asKeptPayment(r)
	return nil
}

// LoadPayer implements [paystream.PayerJournal].
func (j *Journal) LoadPayer(ctx context.Context) (paystream.PayerState, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return paystream.PayerState{}, err
	}
	paid, attempts := make(map[paystream.Handle]int64), make(map[paystream.Handle]int)
	for _, p := range j.payments {
		attempts[p.Handle] = max(attempts[p.Handle], p.Attempt)
		if p.Step == paystream.StepPaid {
			paid[p.Handle] += p.AmountMsat
		}
	}
	return paystream.PayerState{
		Streams: sorted(j.payer, func(r paystream.PayerRecord) (paystream.PayerRecord, bool) {
			r = asKeptPayer(r) // a copy
			r.PaidMsat, r.Attempts = paid[r.Handle], attempts[r.Handle]
			return r, r.Closed.IsZero()
		}, byOpening),
		Payments: sorted(j.payments, func(r paystream.PaymentRecord) (paystream.PaymentRecord, bool) {
			return r, r.Step.Open()
		}, byCreation),
	}, nil
}

// Secret implements [paystream.PayerJournal].
func (j *Journal) Secret(context.Context) ([32]byte, error) { return j.secret, nil }
