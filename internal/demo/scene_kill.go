package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
)

// relayKill kills the relay's tops in round 3 of one pay stream, and in round 1
// of another, and starts it again.
func (s *stage) relayKill(ctx context.Context) error {
	c, err := connect(ctx, s.w)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	circ, handle, _, err := s.open(ctx, c)
	if err != nil {
		return err
	}
	if _, err := c.wait(ctx, "round 2 to be paid", 3*interval, status(circ, controlspec.StatusPaid)); err != nil {
		return err
	}
	if _, _, err := s.settlement(ctx, paystream.Handle(handle), 2); err != nil {
		return err
	}
	if err := s.restartRelay(ctx); err != nil {
		return err
	}
	for round := 3; round <= 5; round++ {
		paid, err := c.wait(ctx, fmt.Sprintf("round %d to be paid after the restart", round), 4*interval, func(h heard) bool {
			return h.Handle == handle && h.Status == controlspec.StatusPaid && h.PaidMsat == int64(1000*(round-1))
		})
		if err != nil {
			return err
		}
		circ = paid.CircID // another one, if tor has retired the first
		if _, _, err := s.settlement(ctx, paystream.Handle(handle), round); err != nil {
			return err
		}
	}
	conn, err := dialSOCKS(ctx, socksPort, "circ="+circ)
	if err != nil {
		return fmt.Errorf("connect through the same circuit after the restart: %w", err)
	}
	d := fetch(conn, 200_000)
	if err := until(ctx, "bytes after the restart", 5*time.Second, func() bool { return d.bytes.Load() > 0 || d.ended() }); err != nil {
		return err
	}
	s.check(!d.ended(), "a download after the restart failed: %v", d.why())
	s.check(s.creditedOnce(ctx, paystream.Handle(handle)), "a round was credited twice, or not at all")
	s.sayf("  in round 3: pay stream %s goes on and is paid through round 5, each round credited once", handle)
	if _, err := c.conn.Do(ctx, "CLOSECIRCUIT "+circ); err != nil {
		return err
	}
	return s.killInRoundOne(ctx, c)
}

func (s *stage) killInRoundOne(ctx context.Context, c *controller) error {
	circ, err := c.extend(ctx, s.w.path)
	if err != nil {
		return err
	}
	free, err := c.wait(ctx, "the relay to accept the intent", 30*time.Second, status(circ, controlspec.StatusFree))
	if err != nil {
		return err
	}
	if err := s.restartRelay(ctx); err != nil {
		return err
	}
	paid, err := c.wait(ctx, "round 2 to be paid after the restart", 30*time.Second, func(h heard) bool {
		return h.Handle == free.Handle && h.Status == controlspec.StatusPaid
	})
	if err != nil {
		return err
	}
	if _, _, err := s.settlement(ctx, paystream.Handle(free.Handle), 2); err != nil {
		return err
	}
	intents := 0
	for _, h := range c.all(free.Handle) {
		if h.Status == controlspec.StatusIntent {
			intents++
		}
	}
	s.check(intents == 2, "the relay accepted the intent %d times, not once before and once after the kill", intents)
	s.sayf("  in round 1: the relay had forgotten the unpaid pay stream %s, the next POST was accepted and paid", free.Handle)
	_, err = c.conn.Do(ctx, "CLOSECIRCUIT "+paid.CircID)
	return err
}

func (s *stage) restartRelay(ctx context.Context) error {
	s.w.relayP.kill()
	s.report.RelayKills++
	return s.w.startRelay(ctx)
}

// creditedOnce reports whether each round that was paid stands in the relay's
// books once.
func (s *stage) creditedOnce(ctx context.Context, h paystream.Handle) bool {
	books, err := s.w.books(ctx, "relay")
	if err != nil {
		return false
	}
	defer books.Close()
	story, err := books.PayStream(ctx, h)
	if err != nil {
		return false
	}
	seen := make(map[int]int)
	for _, b := range story.Bookings {
		seen[b.Round]++
	}
	for r := 2; r <= 5; r++ {
		if seen[r] != 1 {
			return false
		}
	}
	return true
}

// clientKills is how often the client is killed in the middle of a payment.
const clientKills = 5

// clientKill kills the client's tops between invoice and payment.
func (s *stage) clientKill(ctx context.Context) error {
	// Payments take their time here, so that there is a middle.
	if err := s.w.sim.faults(ctx, "payer", map[string]string{"paydelay": "300ms"}); err != nil {
		return err
	}
	defer func() { _ = s.w.sim.faults(ctx, "payer", map[string]string{"paydelay": "0s"}) }()
	rounds := 0
	for s.report.PayerKills < clientKills {
		paid, err := s.killPayStream(ctx)
		if err != nil {
			return err
		}
		rounds += paid
	}
	s.sayf("  killed %d times in the middle of a payment: %d rounds were paid, each once", clientKills, rounds)
	return nil
}

// killPayStream opens a pay stream and kills its payer until there were enough
// kills, or until the relay has cut it: a kill between the journal and the node
// leaves it open for half a minute whether that payment was made, and rounds are
// short here. It returns how many rounds were paid.
func (s *stage) killPayStream(ctx context.Context) (rounds int, err error) {
	c, err := connect(ctx, s.w)
	if err != nil {
		return 0, err
	}
	circ, handle, _, err := s.open(ctx, c)
	c.conn.Close()
	if err != nil {
		return 0, err
	}
	h, over := paystream.Handle(handle), false
	for s.report.PayerKills < clientKills && !over {
		if over, err = s.killWhilePaying(ctx, h); err != nil {
			return 0, err
		}
	}
	if !over {
		if c, err = connect(ctx, s.w); err != nil {
			return 0, err
		}
		defer c.conn.Close()
		// The relay may have cut it while the last payment was in doubt: nothing comes then.
		if over, err = s.closed(ctx, h); err != nil {
			return 0, err
		}
	}
	if !over {
		if _, err := c.wait(ctx, "a payment after the kills", 4*interval, func(e heard) bool {
			return e.Handle == handle && (e.Status == controlspec.StatusPaid || e.Status == controlspec.StatusClosed || e.Status == controlspec.StatusCompleted)
		}); err != nil {
			return 0, err
		}
		// It may be closed already, and tor's answer an error then.
		_, _ = c.conn.Do(ctx, "CLOSECIRCUIT "+circ)
	}
	if err := s.settled(ctx, h); err != nil {
		return 0, err
	}
	return s.paidOnce(ctx, h)
}

// closed reports whether the client's books have the pay stream as ended.
func (s *stage) closed(ctx context.Context, h paystream.Handle) (bool, error) {
	books, err := s.w.books(ctx, "client")
	if err != nil {
		return false, err
	}
	defer books.Close()
	story, err := books.PayStream(ctx, h)
	return err == nil && hasEnded(story), err
}

func hasEnded(story ledger.Story) bool {
	return slices.ContainsFunc(story.Sides, func(side ledger.Row) bool { return !side.Closed.IsZero() })
}

// killWhilePaying waits until the client's books say that a payment has an
// invoice, or is being paid, and kills the client then. It reports over when the
// pay stream has ended instead.
func (s *stage) killWhilePaying(ctx context.Context, h paystream.Handle) (over bool, err error) {
	books, err := s.w.books(ctx, "client")
	if err != nil {
		return false, err
	}
	err = until(ctx, "a payment to begin", 4*interval, func() bool {
		story, err := books.PayStream(ctx, h)
		if err != nil {
			return false
		}
		over = hasEnded(story)
		for _, p := range story.Payments {
			if p.Step == paystream.StepInvoice || p.Step == paystream.StepPaying {
				return true
			}
		}
		return over
	})
	books.Close()
	if err != nil || over {
		return over, err
	}
	s.w.client.kill()
	s.report.PayerKills++
	if err := s.w.startClient(ctx); err != nil {
		return false, err
	}
	return false, s.settled(ctx, h)
}

// settled waits until the restarted client knows what became of the payment.
func (s *stage) settled(ctx context.Context, h paystream.Handle) error {
	books, err := s.w.books(ctx, "client")
	if err != nil {
		return err
	}
	defer books.Close()
	return until(ctx, "the payment that was cut short to be resolved", 45*time.Second, func() bool {
		story, err := books.PayStream(ctx, h)
		return err == nil && !anyOpen(story)
	})
}

func anyOpen(story ledger.Story) bool {
	for _, p := range story.Payments {
		if p.Step.Open() {
			return true
		}
	}
	return false
}

// paidOnce compares the client's books of a pay stream with the relay's, which may hear
// of a payment a moment after the client does.
func (s *stage) paidOnce(ctx context.Context, h paystream.Handle) (rounds int, err error) {
	var paid, booked map[string]int64
	var perRound map[int]int
	_ = until(ctx, "the relay to book what was paid", 5*time.Second, func() bool {
		paid, booked, perRound, err = s.bookings(ctx, h)
		return err != nil || maps.Equal(paid, booked)
	})
	if err != nil {
		return 0, err
	}
	for r, n := range perRound {
		s.check(n == 1, "round %d was paid %d times", r, n)
	}
	s.check(len(paid) == len(booked), "the client paid %d rounds, the relay booked %d", len(paid), len(booked))
	for note, msat := range booked {
		s.check(paid[note] == msat, "one round: %d msat paid, %d booked", paid[note], msat)
	}
	return len(perRound), nil
}

// bookings are what the client has paid and the relay booked, by note, and how often
// each round. A relay keeps nothing of a pay stream that never paid.
func (s *stage) bookings(ctx context.Context, h paystream.Handle) (paid, booked map[string]int64, perRound map[int]int, err error) {
	paid, booked, perRound = make(map[string]int64), make(map[string]int64), make(map[int]int)
	for _, role := range []string{"client", "relay"} {
		books, err := s.w.books(ctx, role)
		if err != nil {
			return nil, nil, nil, err
		}
		story, err := books.PayStream(ctx, h)
		books.Close()
		if role == "relay" && len(paid) == 0 && errors.Is(err, ledger.ErrNoPayStream) {
			continue
		}
		if err != nil {
			return nil, nil, nil, err
		}
		for _, p := range story.Payments {
			if p.Step == paystream.StepPaid {
				paid[string(p.Note)] += p.AmountMsat
			}
		}
		for _, b := range story.Bookings {
			booked[b.Note] += b.AmountMsat
			perRound[b.Round]++
		}
	}
	return paid, booked, perRound, nil
}
