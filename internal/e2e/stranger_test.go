package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// stranger says to the gateway what it likes, through a circuit of a tor of its
// own, and pays by hand.
type stranger struct {
	circuits *tor.Circuits
	attacher *tor.Attacher
	wallet   *cln.Wallet
	circuit  *tor.Circuit // to the relay, nil before reach
	dial     func(context.Context) (net.Conn, error)
	secrets  []string // what it has told the relay
}

func newStranger(t *testing.T, w *world) *stranger {
	settings := tor.NewSettings(tor.SettingsState{}, nil, nil)
	s := &stranger{circuits: tor.NewCircuits(), attacher: tor.NewAttacher(settings)}
	client, err := tor.Start(t.Context(), tor.Config{
		Options:  tor.Options{Address: w.net.Clients[1].ControlSocket},
		Handlers: []tor.Handler{settings, s.circuits, s.attacher},
	})
	if err != nil {
		t.Fatal(err)
	}
	node := cln.NewClient(w.rpc("stranger"))
	s.wallet = cln.NewWallet(node, cln.WalletOptions{Unpaced: true})
	if _, err := s.wallet.Lookup(t.Context(), strings.Repeat("0", 64)); err != nil { // connects
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		node.Close()
	})
	return s
}

// reach sees to it that there is a circuit to the relay, and that its gateway
// answers through it.
func (s *stranger) reach(w *world) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if s.circuit == nil || s.circuit.Err() != nil {
		c, err := s.circuits.Build(ctx, w.path)
		if err != nil {
			return err
		}
		s.circuit = c
		s.dial = func(ctx context.Context) (net.Conn, error) {
			return s.attacher.DialGateway(ctx,
				tor.Gateway{Fingerprint: w.exit.Fingerprint, Addr: w.gateway()}, tor.Target{Circuit: c.ID, Hop: len(w.path)})
		}
	}
	link := gateway.NewClient(s.dial)
	defer link.Close()
	_, err := link.Terms(ctx)
	return err
}

// link is a line to the gateway, closed with the test.
func (s *stranger) link(t *testing.T) *gateway.Client {
	t.Helper()
	link := gateway.NewClient(s.dial)
	t.Cleanup(func() { link.Close() })
	return link
}

// say writes raw bytes to the gateway through tor and returns its answer.
func (s *stranger) say(t *testing.T, text string) (status int, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	conn, err := s.dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(15 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer to %.60q: %v", text, err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(b))
}

// intent is a fresh one for the terms.
func (s *stranger) intent(terms policies.Terms) (paystream.Intent, paystream.Preimage) {
	p := paystream.NewPreimage()
	s.secrets = append(s.secrets, p.Hex(), p.Hash().Hex())
	return paystream.Intent{Hash: p.Hash(), TermsHash: terms.Hash()}, p
}

// pay pays msat to the relay under a note.
func (s *stranger) pay(t *testing.T, terms policies.Terms, note paystream.RoundID, msat int64) {
	t.Helper()
	inv, err := s.wallet.FetchInvoice(t.Context(), paystream.InvoiceRequest{
		Descriptor: terms.Descriptor, AmountMsat: msat, Note: note, Metadata: fmt.Sprintf("%.32s", note), Timeout: 5 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.wallet.Pay(t.Context(), paystream.PayRequest{Invoice: inv, MaxFeeMsat: 100, RetryFor: 2 * time.Second}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) terms(t *testing.T) policies.Terms {
	t.Helper()
	terms, err := w.stranger.link(t).Terms(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return terms
}
