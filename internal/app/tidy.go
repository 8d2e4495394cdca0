package app

import (
	"cmp"
	"context"
	"time"

	"github.com/el-tor/tops/ledger"
)

// tidyEvery is how often the books are tidied, beginning a little after the start:
// there is enough to do then.
const (
	tidyFirst = time.Minute
	tidyEvery = time.Hour
)

// tidyBooks has the books blur and forget what is over, until ctx ends.
func (a *App) tidyBooks(ctx context.Context) {
	var r ledger.Retention
	if c := a.cfg.Relay; c != nil {
		r.Payee = time.Duration(c.Retention)
	}
	if c := a.cfg.Client; c != nil {
		r.Payer = time.Duration(c.Retention)
	}
	for wait := cmp.Or(a.tidyFirst, tidyFirst); ; wait = tidyEvery {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		f, err := a.books.Tidy(ctx, a.clock.Now(), r)
		if ctx.Err() == nil {
			a.failed(err)
		}
		if f.PayStreams > 0 {
			a.log.Info().Int64("paystreams", f.PayStreams).Int64("payments", f.Payments).Msg("books forgot what is older than the retention")
		}
	}
}
