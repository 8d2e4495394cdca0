package client

import (
	"context"
	"sync"

	"github.com/el-tor/tops/paystream"
)

// once tells of troubles in plain words, each once until it is over or another comes.
type once struct {
	failed func(error)

	mu   sync.Mutex
	last string // what was told last
}

// tell tells of a trouble, or with nil that there is none.
func (o *once) tell(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	o.mu.Lock()
	news := text != o.last
	o.last = text
	o.mu.Unlock()
	if news && err != nil {
		o.failed(err)
	}
}

// plainWallet is a wallet that tells of its troubles. The engine gets over them by
// itself and says WALLET at most.
type plainWallet struct {
	paystream.Wallet
	said once
}

// FetchInvoice implements [paystream.Wallet].
func (w *plainWallet) FetchInvoice(ctx context.Context, req paystream.InvoiceRequest) (paystream.Invoice, error) {
	inv, err := w.Wallet.FetchInvoice(ctx, req)
	w.tell(ctx, err)
	return inv, err
}

// Pay implements [paystream.Wallet].
func (w *plainWallet) Pay(ctx context.Context, req paystream.PayRequest) (paystream.Payment, error) {
	p, err := w.Wallet.Pay(ctx, req)
	w.tell(ctx, err)
	return p, err
}

func (w *plainWallet) tell(ctx context.Context, err error) {
	if ctx.Err() == nil {
		w.said.tell(err)
	}
}
