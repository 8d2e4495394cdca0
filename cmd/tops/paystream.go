package main

import (
	"cmp"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
)

type paystreamCmd struct {
	configFlag
	Handle string `arg:"" help:"The pay stream's handle, 16 hex digits: tops status and tops ledger list them."`
	JSON   bool   `help:"Print as JSON."`
}

func (c *paystreamCmd) Run(e *env) error {
	h, err := paystream.ParseHandle(c.Handle)
	if err != nil {
		return wrong("%q: %w", c.Handle, err)
	}
	l, err := c.books(e)
	if err != nil {
		return err
	}
	defer l.Close()
	s, err := l.PayStream(e.ctx, h)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e, s)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	for _, side := range s.Sides {
		tellSide(w, side)
	}
	fmt.Fprintf(w, "\nTIME (UTC)\tROUNDS\tMSAT\tWHAT\n")
	for _, m := range moments(s) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", instant(m.at), m.rounds, m.msat, m.what)
	}
	return w.Flush()
}

func tellSide(w *tabwriter.Writer, r ledger.Row) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	line("pay stream", "%s", r.Handle)
	if r.Role == ledger.Payer {
		line("role", "payer: we pay the relay")
	} else {
		line("role", "payee: we are paid as the relay")
	}
	line("relay", "%s", r.Relay)
	state := r.State
	if r.Reason != "" {
		state += " (" + string(r.Reason) + ")"
	}
	line("state", "%s", state)
	if r.Role == ledger.Payer {
		line("paid", "%d msat, of which opening fee %d; routing %d on top", r.PaidMsat, min(r.FeeMsat, r.PaidMsat), r.RoutingMsat)
		if r.Circuit != "" {
			line("circuit", "%s, hop %d, controller %s", r.Circuit, r.Hop, cmp.Or(r.Controller, "-"))
		}
	} else {
		line("credited", "%d msat, of which opening fee %d", r.PaidMsat, min(r.FeeMsat, r.PaidMsat))
		line("tunnelled", "%d bytes", r.Bytes)
	}
	if r.Continues != "" {
		line("continues", "%s", r.Continues)
	}
	if r.ContinuedBy != "" {
		line("continued by", "%s", r.ContinuedBy)
	}
}

// moment is a line of a pay stream's story.
type moment struct {
	at     time.Time
	rounds string
	msat   string
	what   string
}

// moments puts everything that happened in its order.
func moments(s ledger.Story) (all []moment) {
	add := func(at time.Time, rounds, msat, format string, args ...any) {
		if !at.IsZero() {
			all = append(all, moment{at, rounds, msat, fmt.Sprintf(format, args...)})
		}
	}
	for _, r := range s.Sides {
		add(r.Start, "-", "-", "%s: begins", r.Role)
		add(r.Closed, "-", "-", "%s: over, %s %s", r.Role, r.State, r.Reason)
	}
	for _, p := range s.Payments {
		rounds, msat := roundRange(p.Round, p.Through), fmt.Sprint(p.AmountMsat)
		add(p.Created, rounds, msat, "payer: meant to pay, attempt %d", p.Attempt)
		add(p.Paying, rounds, msat, "payer: the node is asked to pay")
		switch p.Step {
		case paystream.StepPaid:
			add(p.Settled, rounds, msat, "payer: paid, routing %d msat", p.SentMsat-p.AmountMsat)
		case paystream.StepFailed:
			add(cmp.Or(p.Settled, p.Paying, p.Created), rounds, msat, "payer: failed, nothing moved")
		default:
			add(cmp.Or(p.Paying, p.Created), rounds, msat, "payer: held, step %s", p.Step)
		}
	}
	for _, b := range s.Bookings {
		word := map[paystream.BookingKind]string{paystream.BookedCredit: "credited", paystream.BookedLate: "late, credited to nothing"}[b.Kind]
		add(b.PaidAt, roundRange(b.Round, b.Round), fmt.Sprint(b.AmountMsat), "payee: received; %s", cmp.Or(word, string(b.Kind)))
	}
	slices.SortStableFunc(all, func(a, b moment) int { return a.at.Compare(b.at) })
	return all
}

// roundRange writes the rounds that a payment is for; 0 is the opening fee.
func roundRange(from, through int) string {
	switch {
	case from == 0:
		return "fee"
	case through > from:
		return fmt.Sprintf("%d-%d", from, through)
	}
	return fmt.Sprint(from)
}
