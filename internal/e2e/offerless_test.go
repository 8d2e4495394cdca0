package e2e_test

import (
	"context"
	"testing"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/clock"
	"github.com/el-tor/tops/internal/relay"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream/memjournal"
)

// offerless is a relay's node whose offer is a word with an offer's form.
type offerless struct{ *cln.Receiver }

func (offerless) Offer(context.Context, string) (string, error) { return "lno1qqqqqqqq", nil }

func (offerless) Offers(context.Context, string) ([]cln.Offer, error) { return nil, nil }

// runOfferless runs such a relay at the exit's tor.
func (w *world) runOfferless(t *testing.T) (stop func()) {
	t.Helper()
	node, clk := cln.NewClient(w.rpc("payee")), clock.New()
	r, err := relay.New(t.Context(), relay.Config{
		Relay: w.relay.cfg.Relay, Tor: tor.Options{Address: w.exit.ControlSocket}, StateFile: app.RelayStateFile(w.relay.cfg),
		Node:    offerless{cln.NewReceiver(node, cln.ReceiverOptions{Now: clk.Now})},
		Journal: memjournal.New(), Now: clk.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	w.reachable(t)
	return func() {
		cancel()
		<-ended
		r.Close()
		node.Close()
	}
}
