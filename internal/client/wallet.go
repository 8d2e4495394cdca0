package client

import (
	"context"
	"sync"

	"github.com/el-tor/tops/paystream"
)

// plainWallet is a wallet whose troubles are told in plain words, each once until
// it works again. The engine gets over them by itself and says WALLET at most.
type plainWallet struct {
	paystream.Wallet
	failed func(error)

	mu   sync.Mutex
	last string // what was told last
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
	if ctx.Err() != nil {
		return
	}
	text := ""
	if err != nil {
		text = err.Error()
	}
	w.mu.Lock()
	news := text != w.last
	w.last = text
	w.mu.Unlock()
	if news {
		w.failed(err)
	}
}
