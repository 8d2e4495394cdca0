package client

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/el-tor/tops/paystream"
)

// creditFor bounds how long a connection waits for the payment that it needs: as long
// as one may take.
const creditFor = 20 * time.Second

// connectPaid makes a connection, and has the pay stream paid early where the relay
// asks for money first: its bytes are used up.
func (p *circuit) connectPaid(ctx context.Context, target string) (net.Conn, error) {
	until := time.Now().Add(creditFor)
	var asked error // for money
	for pause := 2 * lookEvery; ; pause = min(2*pause, 2*time.Second) {
		conn, err := p.connectOnce(ctx, target)
		var demand *paystream.Demand
		var busy *paystream.Busy
		switch {
		case errors.As(err, &demand) && demand.DueMsat > 0:
			asked = err
		case asked != nil && errors.As(err, &busy) && ctx.Err() == nil:
			pause = max(pause, busy.RetryAfter) // the credit has not reached all of it
		default:
			return conn, err
		}
		if !p.credited(ctx, p.counting(), time.Now().Add(pause), until) {
			return nil, asked
		}
	}
}

// counting is the pay stream that bytes count to now.
func (p *circuit) counting() paystream.Handle {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.before.handle != "" && p.c.cfg.Now().Before(p.pay.begins) {
		return p.before.handle
	}
	return p.pay.handle
}

// credited has a pay stream paid whose bytes are used up, and returns when the relay is
// worth asking again, not before again. It is false if nothing will be paid until then.
func (p *circuit) credited(ctx context.Context, pay paystream.Handle, again, until time.Time) bool {
	p.c.NoteExhausted(pay)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		st, err := p.c.PayStream(pay)
		now := time.Now()
		switch used := st.UsedBytes >= st.Allowance; {
		case err != nil || !now.Before(until):
			return false
		case !used && !now.Before(again):
			return true
		case st.NoPay, used && !willPay(st, p.c.cfg.Now().Add(until.Sub(now))):
			return false
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return false
		}
	}
}

// willPay reports whether the next round of a pay stream is paid, or begins to be, by a
// moment.
func willPay(st paystream.PayerStatus, by time.Time) bool {
	return !st.PayAt.IsZero() && st.PayAt.Before(by)
}
