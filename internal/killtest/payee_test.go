package killtest_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/clock"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
	"golang.org/x/sync/errgroup"
)

// relay is the fingerprint of the payee.
const relay = "0123456789ABCDEF0123456789ABCDEF01234567"

// testTerms has rounds as short as the protocol allows.
func testTerms(offer string, gateway netip.AddrPort) policies.Terms {
	t := policies.DefaultTerms(relay, policies.Descriptor{Kind: policies.Offer, Value: offer}, gateway)
	t.Interval, t.Grace, t.Rounds, t.Prepay = time.Second, time.Second, 6, 3
	return t
}

// noExit is a gateway's dialer for tests that tunnel nothing.
type noExit struct{}

func (noExit) Dial(context.Context, gateway.Target) (*net.TCPConn, error) {
	return nil, gateway.ErrPolicy
}

func runPayee(ctx context.Context) error {
	dir := os.Getenv(envDir)
	addr, err := netip.ParseAddrPort(os.Getenv(envGateway))
	if err != nil {
		return err
	}
	books, err := ledger.Open(ctx, filepath.Join(dir, "payee.db"))
	if err != nil {
		return err
	}
	defer books.Close()
	now := clock.New().Now
	node := cln.NewClient(filepath.Join(dir, "payee-rpc"))
	defer node.Close()
	failed := func(err error) { fmt.Fprintln(os.Stderr, now().Format("05.000"), err) }
	receiver := cln.NewReceiver(node, cln.ReceiverOptions{Now: now, OnError: failed})
	offer, err := receiver.Offer(ctx, "killtest "+relay)
	for ; err != nil; offer, err = receiver.Offer(ctx, "killtest "+relay) { // the node is away
		failed(err)
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	server := gateway.NewServer(gateway.Config{
		Dial: noExit{}, Source: netip.Addr.IsLoopback, Failed: failed,
	})
	payee := paystream.NewPayee(paystream.PayeeConfig{
		Terms: testTerms(offer.Bolt12, addr), Carrier: server, Receiver: receiver, Journal: books,
		Ours: func(id string) bool { return id == offer.ID }, Now: now,
	})
	server.SetPayee(payee)
	if err := payee.Recover(ctx); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", addr.String())
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return server.Serve(ctx, ln) })
	g.Go(func() error { return payee.Run(ctx) })
	err = g.Wait()
	if cerr := payee.Checkpoint(context.WithoutCancel(ctx)); cerr != nil {
		return cerr
	}
	return err
}
