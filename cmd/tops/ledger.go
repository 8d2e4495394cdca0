package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"text/tabwriter"

	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
)

type ledgerCmd struct {
	configFlag
	Handle string `arg:"" optional:"" help:"Tell the story of this pay stream alone."`
	Live   bool   `help:"Only pay streams that are not over."`
	Limit  int    `default:"50" help:"At most so many, the latest ones; 0 for all."`
	JSON   bool   `help:"Print as JSON."`
}

// ledgerReport is what `tops ledger --json` prints.
type ledgerReport struct {
	Totals     ledger.Totals `json:"totals"`
	PayStreams []ledger.Row  `json:"paystreams"`
}

func (c *ledgerCmd) Run(e *env) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	l, err := ledger.OpenReader(e.ctx, filepath.Join(cfg.DataDir, "ledger.db"))
	if err != nil {
		return err
	}
	defer l.Close()
	if c.Handle != "" {
		return c.story(e, l)
	}
	var report ledgerReport
	if report.Totals, err = l.Totals(e.ctx); err != nil {
		return err
	}
	if report.PayStreams, err = l.PayStreams(e.ctx, ledger.Filter{Live: c.Live, Limit: c.Limit}); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e, report)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	t := report.Totals
	fmt.Fprintf(w, "spent\t%d msat, of which %d for routing; %d held\n", t.SpentMsat, t.RoutingMsat, t.HeldMsat)
	fmt.Fprintf(w, "earned\t%d msat, of which %d excess; %d late, %d unclaimed\n\n", t.EarnedMsat, t.ExcessMsat, t.LateMsat, t.UnclaimedMsat)
	fmt.Fprintf(w, "PAY STREAM\tROLE\tSTATE\tSTART\tPAID\tREASON\n")
	for _, r := range report.PayStreams {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", r.Handle, r.Role, r.State, r.Start.Format("2006-01-02 15:04:05"), r.PaidMsat, r.Reason)
	}
	return w.Flush()
}

func (c *ledgerCmd) story(e *env, l *ledger.Ledger) error {
	h, err := paystream.ParseHandle(c.Handle)
	if err != nil {
		return err
	}
	s, err := l.PayStream(e.ctx, h)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e, s)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	for _, r := range s.Sides {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d msat\t%s\n", r.Handle, r.Role, r.State, r.PaidMsat, r.Reason)
	}
	for _, p := range s.Payments {
		fmt.Fprintf(w, "round %d\t%s\t%d msat\trouting %d\n", p.Round, p.Step, p.AmountMsat, max(0, p.SentMsat-p.AmountMsat))
	}
	for _, b := range s.Bookings {
		fmt.Fprintf(w, "round %d\t%s\t%d msat\t%s\n", b.Round, b.Kind, b.AmountMsat, b.At.Format("15:04:05.000"))
	}
	return w.Flush()
}

func printJSON(e *env, v any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
