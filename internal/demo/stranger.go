package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// stranger is a payer that does as it likes: the gateway's wire and a wallet,
// without the engine that would keep its word. It has a tor of its own.
type stranger struct {
	tor      *tor.Client
	settings *tor.Settings
	circuit  *tor.Circuit
	link     *gateway.Client
	wallet   *cln.Wallet
	node     *cln.Client
	terms    policies.Terms

	preimage paystream.Preimage
	hash     paystream.PaymentIDHash
	start    time.Time
}

// newStranger builds a circuit to the relay and reads its terms there.
func newStranger(ctx context.Context, w *world) (_ *stranger, err error) {
	x := &stranger{preimage: paystream.NewPreimage()}
	x.hash = x.preimage.Hash()
	x.settings = tor.NewSettings(tor.SettingsState{}, func(tor.SettingsState) error { return nil }, nil)
	circuits, attacher := tor.NewCircuits(), tor.NewAttacher(x.settings)
	x.tor, err = tor.Start(ctx, tor.Config{
		Options:  tor.Options{Address: w.net.Clients[1].ControlSocket},
		Handlers: []tor.Handler{x.settings, circuits, attacher},
	})
	if err != nil {
		return nil, err
	}
	x.node = cln.NewClient(filepath.Join(w.dir, "stranger-rpc"))
	x.wallet = cln.NewWallet(x.node, cln.WalletOptions{})
	exit := w.net.Relays[len(w.net.Relays)-1]
	x.terms.Relay = exit.Fingerprint
	if x.circuit, err = circuits.Build(ctx, w.path); err != nil {
		return nil, errors.Join(err, x.close(ctx))
	}
	x.link = gateway.NewClient(func(ctx context.Context) (net.Conn, error) {
		return attacher.DialGateway(ctx,
			tor.Gateway{Fingerprint: exit.Fingerprint, Addr: w.gateway()},
			tor.Target{Circuit: x.circuit.ID, Hop: len(w.path)})
	})
	if x.terms, err = x.link.Terms(ctx); err != nil {
		return nil, errors.Join(err, x.close(ctx))
	}
	return x, nil
}

// open has the relay accept an intent.
func (x *stranger) open(ctx context.Context) error {
	a, err := x.link.Open(ctx, paystream.Intent{Hash: x.hash, TermsHash: x.terms.Hash()})
	x.start = a.Start()
	return err
}

// download begins one through the gateway.
func (x *stranger) download(ctx context.Context, rate int) (*download, error) {
	conn, err := x.link.Connect(ctx, x.hash, webAddr.String())
	if err != nil {
		return nil, err
	}
	return fetch(conn, rate), nil
}

// pay pays one round's price.
func (x *stranger) pay(ctx context.Context, round int) error {
	inv, err := x.wallet.FetchInvoice(ctx, paystream.InvoiceRequest{
		Descriptor: x.terms.Descriptor, AmountMsat: x.terms.Schedule().PriceMsat(round),
		Note: x.hash.RoundID(x.terms.Hash(), round), Metadata: fmt.Sprintf("%s%04x", x.hash.Handle(), round), Timeout: 5 * time.Second,
	})
	if err != nil {
		return err
	}
	_, err = x.wallet.Pay(ctx, paystream.PayRequest{Invoice: inv, MaxFeeMsat: 100, RetryFor: 2 * time.Second})
	return err
}

// connectAgain says how the relay answers one more CONNECT.
func (x *stranger) connectAgain(ctx context.Context) string {
	conn, err := x.link.Connect(ctx, x.hash, webAddr.String())
	if err == nil {
		conn.Close()
		return "200"
	}
	var d *paystream.Demand
	if errors.As(err, &d) {
		return fmt.Sprintf("402 due_msat=%d reason=%s", d.DueMsat, d.Reason)
	}
	return err.Error()
}

func (x *stranger) sleepUntil(ctx context.Context, t time.Time) {
	select {
	case <-time.After(time.Until(t)):
	case <-ctx.Done():
	}
}

// close gives tor back as it was.
func (x *stranger) close(ctx context.Context) error {
	var err error
	if x.link != nil {
		err = x.link.Close()
	}
	if x.circuit != nil {
		err = errors.Join(err, x.circuit.Close(ctx))
	}
	return errors.Join(err, x.settings.Restore(ctx), x.tor.Close(), x.node.Close())
}
