package proxy_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/bus"
	"github.com/el-tor/tops/internal/client"
	"github.com/el-tor/tops/internal/control"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal"
	"github.com/el-tor/tops/policies"
)

// holder is a relay that admits everybody, and a node whose payments neither
// settle nor fail.
type holder struct {
	paystream.Wallet
	paystream.Link
	began time.Time
}

func (h *holder) Open(ctx context.Context, in paystream.Intent) (paystream.Answer, error) {
	h.began = time.Now()
	return h.View(ctx, in.Hash)
}

func (h *holder) View(_ context.Context, hash paystream.PaymentIDHash) (paystream.Answer, error) {
	elapsed := time.Since(h.began)
	v := paystream.View{Handle: hash.Handle(), Elapsed: elapsed, Round: 1, DueMsat: 1000, DueIn: time.Second - elapsed, LateIn: 2*time.Second - elapsed}
	return paystream.Answer{View: v, Asked: h.began.Add(elapsed)}, nil
}

func (h *holder) FetchInvoice(_ context.Context, req paystream.InvoiceRequest) (paystream.Invoice, error) {
	return paystream.Invoice{String: "lni1", PaymentHash: "f0", AmountMsat: req.AmountMsat, Expires: time.Now().Add(time.Hour)}, nil
}

func (h *holder) Pay(context.Context, paystream.PayRequest) (paystream.Payment, error) {
	return paystream.Payment{}, paystream.ErrHeld
}

func (h *holder) Lookup(context.Context, string) (paystream.Payment, error) {
	return paystream.Payment{Status: paystream.PaymentPending}, nil
}

// A payment that neither settles nor fails, as a controller sees it: the whole way
// from the payer to the line.
func TestHeldPayment(t *testing.T) {
	var events bus.Bus[paystream.Event]
	node := &holder{}
	payer := paystream.NewPayer(paystream.PayerConfig{
		Wallet: node, Journal: memjournal.New(), Budget: policies.NewBudget(policies.Limits{}), Policy: policies.DefaultPayment(),
		Emit: events.Publish, Random: func() float64 { return 0 },
	})
	if _, err := payer.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- payer.Run(ctx) }()
	defer func() { cancel(); <-ended }()

	srv := plain(startFakeTor(t, ok).addr)
	srv.Engine = &control.Engine{Client: &client.Client{Payer: payer}, Events: &events}
	c := dial(t, serve(t, srv))
	c.ask("AUTHENTICATE", "250 OK\r\n")
	c.ask("SETEVENTS PAYSTREAM", "250 OK\r\n")

	terms := policies.DefaultTerms(fpA, policies.Descriptor{Kind: policies.Offer, Value: "lno1example"}, netip.MustParseAddrPort("203.0.113.9:9402"))
	terms.Interval, terms.Grace, terms.FreeRounds = time.Second, time.Second, 0
	handle, err := payer.Open(ctx, paystream.OpenRequest{Terms: terms, Link: node, Circuit: "7", Hop: 3})
	if err != nil {
		t.Fatal(err)
	}
	held := string(handle) + " HELD CIRC=7 HOP=3 RELAY=$" + fpA + " ROUND=1/10 DUE_MSAT=1000 PAID_MSAT=0 FEE_MSAT=0"
	for line := ""; !strings.Contains(line, " HELD "); {
		if line, err = c.r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "650 PAYSTREAM "+string(handle)+" ") {
			t.Fatalf("%q, %v", line, err)
		}
		if strings.Contains(line, " HELD ") && line != "650 PAYSTREAM "+held+"\r\n" {
			t.Errorf("heard %q", line)
		}
	}
	c.ask("GETINFO tops/paystream/"+string(handle), "250-tops/paystream/"+string(handle)+"="+held+"\r\n250 OK\r\n")
}
