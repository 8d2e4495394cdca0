package demo

import (
	"context"
	"time"

	"github.com/el-tor/tops/ledger"
)

// audit ends the client and compares the three books, to the msat.
func (s *stage) audit(ctx context.Context) error {
	ending, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := s.w.client.stop(ending); err != nil {
		return err
	}
	client, err := s.totals(ctx, "client")
	if err != nil {
		return err
	}
	honest, n, err := s.w.sim.received(ctx, "payer", "payee")
	if err != nil {
		return err
	}
	all, _, err := s.w.sim.received(ctx, "", "payee")
	if err != nil {
		return err
	}
	var relay ledger.Totals
	booked := func() int64 { return relay.EarnedMsat + relay.LateMsat + relay.UnclaimedMsat }
	if err := until(ctx, "the relay to book everything", 10*time.Second, func() bool {
		relay, err = s.totals(ctx, "relay")
		return err == nil && booked() >= all
	}); err != nil {
		return err
	}
	s.report.Payments, s.report.PaidMsat, s.report.BookedMsat = n, client.SpentMsat-client.RoutingMsat, booked()
	s.sayf("  the client paid %d msat, and %d for routing, in %d payments; it holds %d", client.SpentMsat-client.RoutingMsat, client.RoutingMsat, n, client.HeldMsat)
	s.sayf("  the relay credited %d msat, booked %d late and %d unclaimed", relay.EarnedMsat, relay.LateMsat, relay.UnclaimedMsat)
	s.sayf("  the nodes moved %d msat to the relay, %d of it from the client", all, honest)
	s.check(client.SpentMsat-client.RoutingMsat == honest, "the client's books say %d msat, its node paid %d", client.SpentMsat-client.RoutingMsat, honest)
	s.check(client.HeldMsat == 0, "the client still holds %d msat", client.HeldMsat)
	s.check(booked() == all, "the relay's books say %d msat, its node received %d", booked(), all)
	ok, differences, err := s.w.sim.audit(ctx)
	if err != nil {
		return err
	}
	s.check(ok, "the nodes' own audit: %s", differences)
	return nil
}

func (s *stage) totals(ctx context.Context, role string) (ledger.Totals, error) {
	books, err := s.w.books(ctx, role)
	if err != nil {
		return ledger.Totals{}, err
	}
	defer books.Close()
	return books.Totals(ctx)
}
