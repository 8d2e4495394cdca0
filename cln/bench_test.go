package cln_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/paystream"
)

// BenchmarkPayment is one payment, invoice and all, through the wallet, against the two bare commands that it is made of
// (fetchinvoice and xpay), in the same run and on the same node. The difference is what our checks cost.
func BenchmarkPayment(b *testing.B) {
	w := newWorld(b, options{})
	d := w.offer()
	wallet := cln.NewWallet(w.alice, cln.WalletOptions{Unpaced: true})
	n := 0
	bare := func() {
		n++
		req := request(d, n)
		text, err := w.alice.FetchInvoice(b.Context(), d.Value, 1000, string(req.Note), req.Metadata, time.Second)
		if err != nil {
			b.Fatal(err)
		}
		if err := w.alice.Call(b.Context(), "xpay", map[string]any{"invstring": text, "maxfee": 100, "retry_for": 1}, nil); err != nil {
			b.Fatal(err)
		}
	}
	ours := func() {
		n++
		inv, err := wallet.FetchInvoice(b.Context(), request(d, n))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := wallet.Pay(b.Context(), payRequest(inv)); err != nil {
			b.Fatal(err)
		}
	}
	bare()
	ours()
	var nodes, both samples
	for b.Loop() {
		for range 300 { // in turns, so that both meet the same machine
			nodes.time(bare)
			both.time(ours)
		}
	}
	b.ReportMetric(float64(nodes.p50().Microseconds()), "node-µs-p50")
	b.ReportMetric(float64(both.p50().Microseconds()), "ours-µs-p50")
	b.ReportMetric(float64((both.p50()-nodes.p50()).Microseconds())/1000, "overhead-ms-p50")
}

// BenchmarkBacklog walks 50,000 paid invoices, as a payee does after an outage.
func BenchmarkBacklog(b *testing.B) {
	const n = 50_000
	w := newWorld(b, options{})
	if err := w.Backlog("alice", "bob", n, func(i int) string { return string(note(i)) }); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r, s := cln.NewReceiver(w.bob, cln.ReceiverOptions{}), &counter{full: n, done: make(chan struct{})}
		ctx, cancel := contextOf(b)
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx, paystream.Position{}, s) }()
		<-s.done
		cancel()
		<-ended
		b.ReportMetric(float64(s.largest), "largest-batch")
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/walk")
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "settlements/s")
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/(1<<20), "MB-of-both-ends")
}

// BenchmarkPush is the time from the end of a payment, as its payer sees it, to the delivery at the payee.
func BenchmarkPush(b *testing.B) {
	w := newWorld(b, options{alice: clnsim.NodeOptions{}})
	d := w.offer()
	wallet := cln.NewWallet(w.alice, cln.WalletOptions{Unpaced: true})
	arrived := make(chan time.Time, 1)
	ctx, cancel := contextOf(b)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- cln.NewReceiver(w.bob, cln.ReceiverOptions{}).Run(ctx, paystream.Position{}, arrival(arrived))
	}()
	var late samples
	for b.Loop() {
		for range 300 {
			inv, err := wallet.FetchInvoice(b.Context(), request(d, len(late)))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := wallet.Pay(b.Context(), payRequest(inv)); err != nil {
				b.Fatal(err)
			}
			paid := time.Now()
			late = append(late, max(0, (<-arrived).Sub(paid)))
		}
	}
	cancel()
	<-ended
	b.ReportMetric(float64(late.at(0.5).Microseconds()), "push-µs-p50")
	b.ReportMetric(float64(late.at(0.99).Microseconds()), "push-µs-p99")
}

var _ paystream.Sink = (*counter)(nil)
