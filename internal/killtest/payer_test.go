package killtest_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/clock"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
	"golang.org/x/sync/errgroup"
)

// payer is the client's side: it keeps some pay streams going.
type payer struct {
	*paystream.Payer
	gateway string
	clock   *clock.Clock
}

func runPayer(ctx context.Context) error {
	dir := os.Getenv(envDir)
	streams, err := strconv.Atoi(os.Getenv(envStreams))
	if err != nil {
		return err
	}
	p := payer{gateway: os.Getenv(envGateway), clock: clock.New()}
	books, err := ledger.Open(ctx, filepath.Join(dir, "payer.db"))
	if err != nil {
		return err
	}
	defer books.Close()
	node := cln.NewClient(filepath.Join(dir, "payer-rpc"))
	defer node.Close()
	budget := policies.NewBudget(policies.Limits{})
	spent, err := books.Spendings(ctx, p.clock.Now().Add(-24*time.Hour))
	if err != nil {
		return err
	}
	budget.Load(p.clock.Now(), spent)
	p.Payer = paystream.NewPayer(paystream.PayerConfig{
		Wallet:  cln.NewWallet(node, cln.WalletOptions{Now: p.clock.Now, Unpaced: true}),
		Journal: books, Budget: budget, Policy: policies.DefaultPayment(), Now: p.clock.Now, OpenFor: 10 * time.Second,
	})
	live, err := p.Recover(ctx)
	if err != nil {
		return err
	}

	paying, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, gctx := errgroup.WithContext(paying)
	g.Go(func() error { return p.Run(gctx) })
	slots := make(chan struct{}, max(streams, len(live)))
	for range streams - len(live) {
		slots <- struct{}{}
	}
	for _, st := range live {
		g.Go(func() error { return p.resume(gctx, st.Handle, slots) })
	}
	if streams > 0 {
		g.Go(func() error { return p.keepOpening(ctx, gctx, g, slots) })
	}
	select {
	case <-ctx.Done():
	case <-gctx.Done():
	}
	flush, cancel := context.WithTimeout(gctx, 25*time.Second)
	defer cancel()
	err = p.Flush(flush)
	stop()
	if gerr := g.Wait(); !errors.Is(gerr, context.Canceled) {
		err = errors.Join(err, gerr)
	}
	return err
}

// keepOpening opens a pay stream whenever there is a slot, until opening ends.
func (p payer) keepOpening(opening, ctx context.Context, g *errgroup.Group, slots chan struct{}) error {
	for {
		select {
		case <-slots:
		case <-opening.Done():
			return nil
		}
		g.Go(func() error {
			defer func() { slots <- struct{}{} }()
			if err := p.open(ctx); err != nil && ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, "open:", err) // the relay is away
				time.Sleep(300 * time.Millisecond)
			}
			return nil
		})
	}
}

// open opens one pay stream and stays with it to its end.
func (p payer) open(ctx context.Context) error {
	link := p.link()
	defer link.Close()
	terms, err := link.Terms(ctx)
	if err != nil {
		return err
	}
	h, err := p.Open(ctx, paystream.OpenRequest{Terms: terms, Link: link, Circuit: "1", Hop: 3})
	if err != nil {
		return err
	}
	return p.untilOver(ctx, h)
}

// resume takes up one of an earlier process, to its end.
func (p payer) resume(ctx context.Context, h paystream.Handle, slots chan<- struct{}) error {
	defer func() { slots <- struct{}{} }()
	link := p.link()
	defer link.Close()
	if err := p.Resume(h, link); err != nil {
		return err
	}
	return p.untilOver(ctx, h)
}

func (p payer) untilOver(ctx context.Context, h paystream.Handle) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		st, err := p.PayStream(h)
		switch {
		case errors.Is(err, paystream.ErrNoPayStream):
			return nil
		case st.Status == paystream.StatusCompleted, st.Status == paystream.StatusClosed, st.Status == paystream.StatusRefused:
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p payer) link() *gateway.Client {
	c := gateway.NewClient(func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", p.gateway)
	})
	c.Now = p.clock.Now
	return c
}
