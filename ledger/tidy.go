package ledger

import (
	"context"
	"errors"
	"time"
)

// Retention says how long the books remember single payments of what is over.
// Afterwards there is one sum a day and account; the sums stay for ever.
type Retention struct {
	Payee time.Duration // what others paid to us; 0: for ever
	Payer time.Duration // what we paid; 0: for ever
}

// Tidy is what a running tops does to its books every now and then: it blurs
// what has been over for [DetailFor], and forgets what is older than its
// retention, which is never less than that.
func (l *Ledger) Tidy(ctx context.Context, now time.Time, r Retention) (f Forgotten, err error) {
	if err := l.Blur(ctx, now.Add(-DetailFor)); err != nil {
		return f, err
	}
	var errs []error
	if r.Payee > 0 {
		before := now.Add(-max(r.Payee, DetailFor))
		errs = append(errs, l.forget(ctx, &f, before, oldPayee, oldUnclaimed, oldTerms))
	}
	if r.Payer > 0 {
		before := now.Add(-max(r.Payer, DetailFor))
		errs = append(errs, l.forget(ctx, &f, before, oldPayer, oldStray))
	}
	return f, errors.Join(errs...)
}
