package cln_test

import (
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/paystream"
)

// The promise on which nobody is cut who paid: when Sync returns a time, all that settled before it was delivered, with
// payments coming in all the while, a slow sink, lost answers and outages.
func TestWatermark(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	d := w.offer()
	s := &sink{delay: 5 * time.Millisecond}
	r := cln.NewReceiver(w.bob, cln.ReceiverOptions{})
	follow(t, r, 0, s)
	w.setFaults("bob", clnsim.Faults{HangUpRate: 0.005})

	stop := make(chan struct{})
	var payers sync.WaitGroup
	for p := range 3 {
		payers.Go(func() {
			wallet := cln.NewWallet(w.client("alice"), cln.WalletOptions{Unpaced: true})
			for i := range 10_000 {
				select {
				case <-stop:
					return
				default:
					if err := payOnce(t, wallet, request(d, p*10_000+i)); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	eventually(t, "payments come in", func() bool { return s.count() > 0 })
	checked, synced := 0, 0
	for i := 0; synced < 15; i++ {
		if i%8 == 5 {
			w.outage("bob", true)
			w.outage("bob", false)
		}
		upTo, err := r.Sync(t.Context())
		if err != nil {
			continue // it says so, and nobody is judged
		}
		synced++
		s.mu.Lock()
		delivered := map[string]bool{}
		for _, got := range s.got {
			delivered[got.PaymentHash] = true
		}
		s.mu.Unlock()
		for _, p := range w.Payments() {
			if p.Status == clnsim.Complete && p.Ended.Before(upTo) {
				checked++
				if !delivered[p.Hash] {
					t.Fatalf("sync %d: a payment of %s before %s is missing", i, upTo.Sub(p.Ended), upTo)
				}
			}
		}
	}
	close(stop)
	payers.Wait()
	if checked == 0 {
		t.Error("nothing was paid")
	}
}

func payOnce(t *testing.T, wallet *cln.Wallet, req paystream.InvoiceRequest) error {
	inv, err := wallet.FetchInvoice(t.Context(), req)
	if err == nil {
		_, err = wallet.Pay(t.Context(), payRequest(inv))
	}
	return err
}
