package paystream_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// payerBooks keeps what it was told, while its disk lets it.
type payerBooks struct {
	mu       sync.Mutex
	streams  map[paystream.Handle]paystream.PayerRecord
	payments map[string]paystream.PaymentRecord
	broken   func(paystream.PaymentStep) bool // whether a write fails; of a pay stream, with no step
}

var errPayerDisk = errors.New("the disk is full")

func (j *payerBooks) breakDown(when func(paystream.PaymentStep) bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.broken = when
}

func newPayerBooks() *payerBooks {
	return &payerBooks{streams: make(map[paystream.Handle]paystream.PayerRecord), payments: make(map[string]paystream.PaymentRecord)}
}

func (j *payerBooks) LoadPayer(context.Context) (paystream.PayerState, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var st paystream.PayerState
	for _, r := range j.streams {
		if r.Closed.IsZero() {
			r.PaidMsat, r.Attempts = 0, 0
			for _, y := range j.payments {
				if y.Handle == r.Handle {
					r.Attempts = max(r.Attempts, y.Attempt)
					if y.Step == paystream.StepPaid {
						r.PaidMsat += y.AmountMsat
					}
				}
			}
			st.Streams = append(st.Streams, r)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(j.payments)) {
		if j.payments[k].Step.Open() {
			st.Payments = append(st.Payments, j.payments[k])
		}
	}
	return st, nil
}

func (j *payerBooks) SavePayStream(_ context.Context, r paystream.PayerRecord) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil && j.broken("") {
		return errPayerDisk
	}
	j.streams[r.Handle] = r
	return nil
}

func (j *payerBooks) SavePayment(_ context.Context, r paystream.PaymentRecord) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil && j.broken(r.Step) {
		return errPayerDisk
	}
	j.payments[fmt.Sprintf("%s %d", r.Handle, r.Attempt)] = r
	return nil
}

func (j *payerBooks) Secret(context.Context) ([32]byte, error) { return [32]byte{1, 2, 3}, nil }

// paid sums what the journal says was spent.
func (j *payerBooks) paid() (sum int64, count int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, y := range j.payments {
		if y.Step == paystream.StepPaid {
			sum += y.SentMsat
			count++
		}
	}
	return sum, count
}

// payerPurse is a budget that can be looked at meanwhile.
type payerPurse struct {
	mu sync.Mutex
	b  *policies.Budget
}

func newPayerPurse(limitMsat int64) *payerPurse {
	return &payerPurse{b: policies.NewBudget(policies.Limits{TotalMsat: limitMsat})}
}

func (b *payerPurse) Hold(now time.Time, s policies.Spend, msat int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Hold(now, s, msat)
}

func (b *payerPurse) Settle(key string, now time.Time, msat int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.Settle(key, now, msat)
}

func (b *payerPurse) Release(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.Release(key)
}

func (b *payerPurse) totals() (held, spent int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, u := range b.b.Left(time.Now()) {
		if u.Which == "total" {
			return u.HeldMsat, u.SpentMsat
		}
	}
	panic("no total")
}
