package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/socks"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal"
	"github.com/el-tor/tops/policies"
)

// purse is a node and a relay: what it pays arrives there after a while.
type purse struct {
	takes  time.Duration // a payment
	budget error         // why nothing may be paid
	terms  policies.Terms

	mu    sync.Mutex
	pays  int
	msat  int64
	asked int // connections
	start time.Time
}

func (r *purse) Hold(time.Time, policies.Spend, int64) error { return r.budget }
func (r *purse) Settle(string, time.Time, int64)             {}
func (r *purse) Release(string)                              {}

func (r *purse) FetchInvoice(_ context.Context, req paystream.InvoiceRequest) (paystream.Invoice, error) {
	return paystream.Invoice{String: "lni1", PaymentHash: req.Metadata, AmountMsat: req.AmountMsat}, nil
}

func (r *purse) CheckInvoice(context.Context, paystream.InvoiceRequest, string) (paystream.Invoice, error) {
	return paystream.Invoice{}, paystream.ErrUnavailable
}

func (r *purse) Pay(_ context.Context, req paystream.PayRequest) (paystream.Payment, error) {
	time.Sleep(r.takes)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pays, r.msat = r.pays+1, r.msat+req.Invoice.AmountMsat
	return paystream.Payment{Status: paystream.PaymentComplete, AmountMsat: req.Invoice.AmountMsat, SentMsat: req.Invoice.AmountMsat}, nil
}

func (r *purse) Lookup(context.Context, string) (paystream.Payment, error) {
	return paystream.Payment{Status: paystream.PaymentPending}, nil
}

func (r *purse) View(_ context.Context, h paystream.PaymentIDHash) (paystream.Answer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	v := paystream.View{Handle: h.Handle(), Elapsed: now.Sub(r.start), Round: 1, BalanceMsat: r.msat, DueMsat: 1000, Bytes: r.terms.FreeBytes}
	v.PaidThrough = r.terms.Schedule().PaidThrough(r.msat, 0)
	return paystream.Answer{View: v, Asked: now}, nil
}

func (r *purse) Open(ctx context.Context, in paystream.Intent) (paystream.Answer, error) {
	r.start = time.Now()
	return r.View(ctx, in.Hash)
}

func (r *purse) End(ctx context.Context, h paystream.PaymentIDHash, _ paystream.Preimage) (paystream.Answer, error) {
	return r.View(ctx, h)
}

func (r *purse) Invoice(context.Context, paystream.PaymentIDHash, int, int64) (string, error) {
	return "", paystream.ErrUnavailable
}

// gateway takes connections once something was paid.
func (r *purse) gateway(conn net.Conn) {
	if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
		conn.Close()
		return
	}
	r.mu.Lock()
	r.asked++
	paid := r.msat > 0
	r.mu.Unlock()
	if paid {
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n\r\n")
		return
	}
	body := `{"error":"1000 msat are due","due_msat":1000}`
	fmt.Fprintf(conn, "HTTP/1.1 402 Payment Required\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	conn.Close()
}

// A connection whose relay wants money waits for it, if any comes.
func TestAConnectionWaitsForItsCredit(t *testing.T) {
	for _, tc := range []struct {
		name     string
		free     int64 // bytes
		takes    time.Duration
		budget   error
		selfPaid bool
		within   time.Duration
		pays     int
		refused  bool
	}{
		{"paid at once", 1 << 20, 3 * time.Second, nil, false, 6 * time.Second, 1, false},
		{"nothing is free", 0, 10 * time.Second, nil, false, 13 * time.Second, 1, false},
		{"a payment takes too long", 0, 40 * time.Second, nil, false, creditFor + time.Second, 0, true},
		{"over the budget", 1 << 20, 0, errors.New("spent"), false, 2 * time.Second, 0, true},
		{"the controller pays", 0, 0, nil, true, time.Second, 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &purse{takes: tc.takes, budget: tc.budget}
				r.terms = policies.DefaultTerms(noRelay, policies.Descriptor{Kind: policies.Offer, Value: "lno1example"}, netip.MustParseAddrPort("203.0.113.9:9402"))
				r.terms.FreeBytes = tc.free
				p := trickling(0)
				p.pooled = true
				p.link = gateway.NewClient(func(context.Context) (net.Conn, error) {
					here, there := net.Pipe()
					go r.gateway(there)
					return here, nil
				})
				p.c.Payer = paystream.NewPayer(paystream.PayerConfig{Wallet: r, Journal: memjournal.New(), Budget: r, Policy: policies.DefaultPayment()})
				if _, err := p.c.Payer.Recover(t.Context()); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				var run sync.WaitGroup
				run.Go(func() { _ = p.c.Payer.Run(ctx) })
				defer run.Wait()
				defer cancel()
				h, err := p.c.Open(ctx, paystream.OpenRequest{Terms: r.terms, Link: r, Circuit: "7", Hop: 3, NoPay: tc.selfPaid})
				if err != nil {
					t.Fatal(err)
				}
				p.pay.handle = h

				begin := time.Now()
				conn, err := p.connect(ctx, "192.0.2.1:80")
				if took := time.Since(begin); took > tc.within {
					t.Errorf("it took %v, want %v at most", took, tc.within)
				}
				r.mu.Lock()
				defer r.mu.Unlock()
				switch {
				case tc.refused != (err != nil), tc.refused && Reply(err) != socks.NotAllowed:
					t.Errorf("%v, want refused %v", err, tc.refused)
				case r.pays != tc.pays || r.asked > 8:
					t.Errorf("%d payments, want %d; the relay was asked %d times", r.pays, tc.pays, r.asked)
				}
				if err == nil {
					conn.Close()
				}
				if p.users != 0 {
					t.Errorf("%d users are left", p.users)
				}
			})
		})
	}
}
