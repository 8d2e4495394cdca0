package demo

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/paystream"
)

// open extends a paid circuit and begins a download through it.
func (s *stage) open(ctx context.Context, c *controller) (circ, handle string, d *download, err error) {
	if circ, err = c.extend(ctx, s.w.path); err != nil {
		return
	}
	e, err := c.wait(ctx, "the relay to accept the intent", 30*time.Second, status(circ, controlspec.StatusFree))
	if err != nil {
		return
	}
	conn, err := dialSOCKS(ctx, socksPort, "circ="+circ)
	if err != nil {
		return circ, e.Handle, nil, fmt.Errorf("connect through the paid circuit: %w", err)
	}
	return circ, e.Handle, fetch(conn, 200_000), nil
}

// stall stops the relay's tops in round 3, in the middle of a download: it keeps
// its connections and serves nothing.
func (s *stage) stall(ctx context.Context) error {
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
	if _, err := c.wait(ctx, "round 3", 2*interval, func(h heard) bool {
		return h.Handle == handle && h.Status == controlspec.StatusDue && h.Round >= 3
	}); err != nil {
		return err
	}
	s.w.relayP.signal(syscall.SIGSTOP)
	stalled := time.Now()
	defer s.w.relayP.signal(syscall.SIGCONT)
	left, err := c.wait(ctx, "the client to leave", 5*interval, status(circ, controlspec.StatusClosed))
	if err != nil {
		return err
	}
	out := &Stall{PaidMsat: left.PaidMsat, ServedMsat: 1000, LeftAfter: left.at.Sub(stalled)}
	s.report.Stall = out
	lost := out.PaidMsat - out.ServedMsat
	s.sayf("  stalled in round 3; the client left after %d ms for %s, having paid %d msat: it lost %d msat",
		out.LeftAfter.Milliseconds(), left.Reason, out.PaidMsat, lost)
	s.check(lost <= 1000, "the client lost %d msat to a relay that stalled, more than one round", lost)
	s.check(paystream.Reason(left.Reason) == paystream.ReasonQuality, "the client left for %s, not for %s", left.Reason, paystream.ReasonQuality)
	return nil
}
