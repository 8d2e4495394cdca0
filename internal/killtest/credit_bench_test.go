package killtest_test

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// BenchmarkCredit is the time from a payment's settling at the payee's node to its
// credit, durable, with 10,000 live pay streams; and beside it what the disk takes
// for one fsync.
func BenchmarkCredit(b *testing.B) {
	const streams, payments = 10_000, 300
	dir := b.TempDir()
	w := clnsim.NewWorld(clnsim.Options{})
	defer w.Close()
	node := map[string]*cln.Client{}
	for _, name := range []string{"payer", "payee"} {
		path := filepath.Join(dir, name+"-rpc")
		if err := w.AddNode(name, clnsim.NodeOptions{Faults: clnsim.Faults{UnlimitedOnion: true}}); err != nil {
			b.Fatal(err)
		}
		if err := w.Start(name, path); err != nil {
			b.Fatal(err)
		}
		node[name] = cln.NewClient(path)
		defer node[name].Close()
	}
	books, err := ledger.Open(b.Context(), filepath.Join(dir, "payee.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer books.Close()
	receiver := cln.NewReceiver(node["payee"], cln.ReceiverOptions{})
	offer, err := receiver.Offer(b.Context(), "bench "+relay)
	if err != nil {
		b.Fatal(err)
	}
	terms := policies.DefaultTerms(relay, policies.Descriptor{Kind: policies.Offer, Value: offer.Bolt12}, netip.MustParseAddrPort("192.0.2.1:9402"))
	terms.Interval, terms.Grace = time.Hour, time.Hour // nobody is late
	var mu sync.Mutex
	credited := map[paystream.Handle]chan time.Time{}
	payee := paystream.NewPayee(paystream.PayeeConfig{
		Terms: terms, Carrier: gateway.NewServer(gateway.Config{}), Receiver: receiver, Journal: books,
		Ours: func(id string) bool { return id == offer.ID }, Now: time.Now,
		Emit: func(e paystream.Event) {
			if e.Status != paystream.StatusPaid {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if c := credited[e.Handle]; c != nil {
				c <- time.Now()
			}
		},
	})
	if err := payee.Recover(b.Context()); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- payee.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	hashes := make([]paystream.PaymentIDHash, streams)
	for i := range hashes {
		hashes[i] = paystream.NewPreimage().Hash()
		if _, err := payee.Admit(ctx, paystream.Intent{Hash: hashes[i], TermsHash: terms.Hash()}); err != nil {
			b.Fatal(err)
		}
	}

	wallet := cln.NewWallet(node["payer"], cln.WalletOptions{Unpaced: true})
	var took, fsync []time.Duration
	for b.Loop() {
		for i := range payments {
			h := hashes[(len(took)+i*7)%streams]
			arrived := make(chan time.Time, 1)
			mu.Lock()
			credited[h.Handle()] = arrived
			mu.Unlock()
			note := h.RoundID(terms.Hash(), 2)
			inv, err := wallet.FetchInvoice(ctx, paystream.InvoiceRequest{
				Descriptor: terms.Descriptor, AmountMsat: 1000, Note: note, Metadata: string(h.RoundID(terms.Hash(), len(took)%100)), Timeout: 5 * time.Second,
			})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := wallet.Pay(ctx, paystream.PayRequest{Invoice: inv, RetryFor: time.Second}); err != nil {
				b.Fatal(err)
			}
			at := <-arrived
			all := w.Payments()
			took = append(took, at.Sub(all[len(all)-1].Ended))
			fsync = append(fsync, oneFsync(b, dir))
			mu.Lock()
			delete(credited, h.Handle())
			mu.Unlock()
		}
	}
	report := func(d []time.Duration, name string) {
		slices.Sort(d)
		b.ReportMetric(float64(d[len(d)/2].Microseconds())/1000, name+"-ms-p50")
		b.ReportMetric(float64(d[len(d)*99/100].Microseconds())/1000, name+"-ms-p99")
	}
	report(took, "credit")
	report(fsync, "fsync")
}

// oneFsync writes a page and waits for the disk.
func oneFsync(b *testing.B, dir string) time.Duration {
	f, err := os.OpenFile(filepath.Join(dir, "page"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	began := time.Now()
	if _, err := f.Write(make([]byte, 4096)); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}
