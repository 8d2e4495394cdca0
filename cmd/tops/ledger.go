package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/el-tor/tops/ledger"
)

type ledgerCmd struct {
	Show    ledgerShowCmd    `cmd:"" default:"withargs" help:"Show the books: totals, and the pay streams."`
	Verify  ledgerVerifyCmd  `cmd:"" help:"Check that every record can be read, and that the books agree with themselves."`
	Backup  ledgerBackupCmd  `cmd:"" help:"Write a backup into a new file, also while tops runs. It holds secrets: keep it as safe as the books."`
	Restore ledgerRestoreCmd `cmd:"" help:"Make books of a backup where there are none. tops must not run."`
}

type ledgerShowCmd struct {
	configFlag
	Live     bool        `help:"Only pay streams that are not over."`
	Role     ledger.Role `default:"" enum:",payer,payee" placeholder:"ROLE" help:"Only what we pay (payer) or are paid (payee)."`
	Since    since       `placeholder:"WHEN" help:"Only what lives or closed since: how long ago (36h, 7d), or a day (2026-01-31)."`
	Limit    int         `default:"50" help:"At most so many, the latest ones; 0 for all."`
	Unserved bool        `help:"List the payments that bought nothing instead: late ones, and those that fit no pay stream."`
	CSV      bool        `name:"csv" xor:"format" help:"Print the list as CSV, amounts in msat."`
	JSON     bool        `xor:"format" help:"Print as JSON."`
}

// ledgerReport is what `tops ledger --json` prints.
type ledgerReport struct {
	Totals     ledger.Totals     `json:"totals"`
	PayStreams []ledger.Row      `json:"paystreams"`
	Unserved   []ledger.Unserved `json:"unserved,omitempty"`
}

func (c *ledgerShowCmd) Run(e *env) error {
	from, err := c.Since.time(time.Now())
	if err != nil {
		return err
	}
	l, err := c.books(e)
	if err != nil {
		return err
	}
	defer l.Close()
	var report ledgerReport
	if report.Totals, err = l.Totals(e.ctx); err != nil {
		return err
	}
	if c.Unserved {
		report.PayStreams = []ledger.Row{}
		report.Unserved, err = l.Unserved(e.ctx, from, c.Limit)
	} else {
		report.PayStreams, err = l.PayStreams(e.ctx, ledger.Filter{Role: c.Role, Live: c.Live, Since: from, Limit: c.Limit})
	}
	switch {
	case err != nil:
		return err
	case c.JSON:
		return printJSON(e, report)
	case c.CSV && c.Unserved:
		return printCSV(e, "paid_at,kind,paystream,round,amount_msat,payment_hash", unservedRows(report.Unserved))
	case c.CSV:
		return printCSV(e, "paystream,role,relay,state,reason,start,closed,paid_msat,fee_msat,routing_msat,bytes", payStreamRows(report.PayStreams))
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	t := report.Totals
	fmt.Fprintf(w, "spent\t%d msat\tof which %d for routing; %d more held\n", t.SpentMsat, t.RoutingMsat, t.HeldMsat)
	fmt.Fprintf(w, "received\t%d msat\t%d credited, of which %d excess; %d late, %d unknown\n\n",
		t.EarnedMsat+t.LateMsat+t.UnclaimedMsat, t.EarnedMsat, t.ExcessMsat, t.LateMsat, t.UnclaimedMsat)
	if c.Unserved {
		fmt.Fprintf(w, "PAID AT\tKIND\tPAY STREAM\tROUND\tMSAT\tPAYMENT HASH\n")
		for _, u := range report.Unserved {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\n", instant(u.PaidAt), u.Kind, u.Handle, u.Round, u.AmountMsat, u.PaymentHash)
		}
		return w.Flush()
	}
	fmt.Fprintf(w, "PAY STREAM\tROLE\tSTATE\tSTART\tCLOSED\tPAID\tREASON\n")
	for _, r := range report.PayStreams {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", r.Handle, r.Role, r.State, instant(r.Start), instant(r.Closed), r.PaidMsat, r.Reason)
	}
	return w.Flush()
}

func payStreamRows(all []ledger.Row) (rows [][]any) {
	for _, r := range all {
		rows = append(rows, []any{r.Handle, r.Role, r.Relay, r.State, r.Reason, r.Start, r.Closed, r.PaidMsat, r.FeeMsat, r.RoutingMsat, r.Bytes})
	}
	return rows
}

func unservedRows(all []ledger.Unserved) (rows [][]any) {
	for _, u := range all {
		rows = append(rows, []any{u.PaidAt, u.Kind, u.Handle, u.Round, u.AmountMsat, u.PaymentHash})
	}
	return rows
}
