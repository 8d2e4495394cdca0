package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
)

// honest plays ten rounds between two that keep their word, and goes on into a
// second pay stream, while a download runs that must not notice.
func (s *stage) honest(ctx context.Context) error {
	c, err := connect(ctx, s.w)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	circ, err := c.extend(ctx, s.w.path)
	if err != nil {
		return err
	}
	free, err := c.wait(ctx, "the relay to accept the intent", 30*time.Second, status(circ, controlspec.StatusFree))
	if err != nil {
		return err
	}
	conn, err := dialSOCKS(ctx, socksPort, "circ="+circ)
	if err != nil {
		return fmt.Errorf("connect through the paid circuit: %w", err)
	}
	d := fetch(conn, 200_000)
	s.sayf("circuit %s, pay stream %s: a download runs", circ, free.Handle)
	s.sayf("  round  price  paid      routing  the relay knew")
	for round := 2; round <= rounds; round++ {
		paid, err := c.wait(ctx, fmt.Sprintf("round %d to be paid", round), 2*interval+5*time.Second, func(h heard) bool {
			return h.Handle == free.Handle && h.Status == controlspec.StatusPaid && h.Round >= round
		})
		if err != nil {
			return err
		}
		if round == 5 { // Debian's logrotate does this every day
			for _, n := range append(s.w.net.Relays, s.w.net.Clients...) {
				if err := n.Reload(); err != nil {
					return err
				}
			}
			s.sayf("         every tor gets a SIGHUP")
		}
		if err := s.row(ctx, paystream.Handle(free.Handle), round, paid.FeeMsat); err != nil {
			return err
		}
	}
	if _, err := c.wait(ctx, "the pay stream to complete", 3*interval, func(h heard) bool {
		return h.Handle == free.Handle && h.Status == controlspec.StatusCompleted
	}); err != nil {
		return err
	}
	before := d.bytes.Load()
	second, err := c.wait(ctx, "the second pay stream to be paid", 4*interval, func(h heard) bool {
		return h.CircID == circ && h.Handle != free.Handle && h.Status == controlspec.StatusPaid
	})
	if err != nil {
		return err
	}
	s.sayf("  continued as %s; the download has %d kB and did not notice", second.Handle, d.bytes.Load()/1000)
	s.check(!d.ended(), "the download was interrupted: %v", d.why())
	s.check(d.bytes.Load() > before, "the download stood still after the change of pay streams")
	if _, err := c.conn.Do(ctx, "CLOSECIRCUIT "+circ); err != nil {
		return err
	}
	return s.checkHonest(ctx, paystream.Handle(free.Handle))
}

// row prints one round, from the books of both sides and from the simulator.
func (s *stage) row(ctx context.Context, h paystream.Handle, round int, routingMsat int64) error {
	settled, booking, err := s.settlement(ctx, h, round)
	if err != nil {
		return err
	}
	knew := booking.At.Sub(settled.Ended)
	s.report.KnewAfter = append(s.report.KnewAfter, knew)
	s.sayf("  %5d  %5d  %5d ok  %7d  after %.1f ms", round, booking.AmountMsat, settled.AmountMsat, routingMsat, float64(knew)/float64(time.Millisecond))
	return nil
}

// settlement finds one round's payment: as it happened, and in the relay's books.
func (s *stage) settlement(ctx context.Context, h paystream.Handle, round int) (p clnsim.Payment, b paystream.Booking, err error) {
	books, err := s.w.books(ctx, "relay")
	if err != nil {
		return p, b, err
	}
	defer books.Close()
	err = until(ctx, fmt.Sprintf("the relay to book round %d", round), 5*time.Second, func() bool {
		story, err := books.PayStream(ctx, h)
		if err != nil {
			return false
		}
		for _, k := range story.Bookings {
			if k.Round == round {
				b = k
			}
		}
		return b.PaymentHash != ""
	})
	if err != nil {
		return p, b, err
	}
	all, err := s.w.sim.payments(ctx)
	for _, one := range all {
		if one.Hash == b.PaymentHash {
			return one, b, nil
		}
	}
	return p, b, fmt.Errorf("the relay has booked a payment that never happened (%w)", err)
}

// checkHonest holds the first pay stream against the specification, in all three
// books.
func (s *stage) checkHonest(ctx context.Context, h paystream.Handle) error {
	const total = 10_000
	for _, role := range []string{"relay", "client"} {
		books, err := s.w.books(ctx, role)
		if err != nil {
			return err
		}
		story, err := books.PayStream(ctx, h)
		books.Close()
		if err != nil {
			return err
		}
		for _, side := range story.Sides {
			s.check(side.PaidMsat == total, "the %s's books say %d msat, not %d", role, side.PaidMsat, total)
			s.check(side.State == "COMPLETED", "the %s's books say %s, not COMPLETED", role, side.State)
		}
		s.check(len(story.Payments)+len(story.Bookings) == rounds-1, "the %s's books have %d payments, not %d", role, len(story.Payments)+len(story.Bookings), rounds-1)
		s.check(prices(story), "the %s's books have other prices than 8 × 1 sat and 1 × 2 sat", role)
	}
	return nil
}

// prices reports whether the amounts are those of the specification.
func prices(story ledger.Story) bool {
	byRound := make(map[int]int64)
	for _, p := range story.Payments {
		byRound[p.Round] += p.AmountMsat
	}
	for _, b := range story.Bookings {
		byRound[b.Round] += b.AmountMsat
	}
	for r := 2; r < rounds; r++ {
		if byRound[r] != 1000 {
			return false
		}
	}
	return byRound[rounds] == 2000 && len(byRound) == rounds-1
}
