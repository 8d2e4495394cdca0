package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/el-tor/tops/ledger"
)

type earningsCmd struct {
	configFlag
	By    string `default:"day" enum:"day,hour" help:"A line a day or an hour, UTC. Of what is older than the retention only the day is known."`
	Since since  `placeholder:"WHEN" help:"Only from then on: how long ago (36h, 7d), or a day (2026-01-31)."`
	CSV   bool   `name:"csv" xor:"format" help:"Print as CSV, amounts in msat."`
	JSON  bool   `xor:"format" help:"Print as JSON."`
}

// Help says what the columns mean.
func (*earningsCmd) Help() string {
	return `PAID is every payment that came in. Of it, CREDITED counted for a pay stream, LATE came after its pay stream had ended, and UNKNOWN fits none
(tops ledger --unserved lists the last two). EXCESS is credit that was left over when a pay stream closed: it is part of CREDITED, and nothing is owed for it.
Amounts are msat.`
}

// earningsReport is what `tops earnings --json` prints.
type earningsReport struct {
	By       string           `json:"by"`
	Earnings []ledger.Earning `json:"earnings"`
	Total    ledger.Earning   `json:"total"`
}

func (c *earningsCmd) Run(e *env) error {
	from, err := c.Since.time(time.Now())
	if err != nil {
		return err
	}
	l, err := c.books(e)
	if err != nil {
		return err
	}
	defer l.Close()
	step, layout := ledger.ByDay, time.DateOnly
	if c.By == "hour" {
		step, layout = ledger.ByHour, "2006-01-02 15:04"
	}
	all, err := l.Earnings(e.ctx, from, step)
	if err != nil {
		return err
	}
	report := earningsReport{By: c.By, Earnings: append([]ledger.Earning{}, all...), Total: ledger.Earning{From: from}}
	for _, one := range all {
		report.Total.Add(one)
	}
	switch {
	case c.JSON:
		return printJSON(e, report)
	case c.CSV:
		rows := make([][]any, len(all))
		for i, r := range all {
			rows[i] = []any{r.From, r.Payments, r.PaidMsat, r.EarnedMsat, r.LateMsat, r.UnclaimedMsat, r.ExcessMsat}
		}
		return printCSV(e, "from,payments,paid_msat,credited_msat,late_msat,unknown_msat,excess_msat", rows)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "FROM (UTC)\tPAYMENTS\tPAID\tCREDITED\tLATE\tUNKNOWN\tEXCESS\t\n")
	line := func(what string, r ledger.Earning) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t\n", what, r.Payments, r.PaidMsat, r.EarnedMsat, r.LateMsat, r.UnclaimedMsat, r.ExcessMsat)
	}
	for _, one := range all {
		line(one.From.Format(layout), one)
	}
	line("total, msat", report.Total)
	return w.Flush()
}
