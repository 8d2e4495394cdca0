package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/el-tor/tops/internal/app"
)

type statusCmd struct {
	configFlag
	JSON bool `help:"Print as JSON."`
}

func (c *statusCmd) Run(e *env) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	st, err := app.AskStatus(e.ctx, cfg)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e, st)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	for _, role := range slices.Sorted(maps.Keys(st.Carriers)) {
		fmt.Fprintf(w, "carrier\t%s\t(%s)\n", st.Carriers[role], role)
	}
	if n := st.Native; n != nil {
		fmt.Fprintf(w, "circuits\t%d served\t(ended %d, and %d that brought nothing; not ended since another has the same id %d, unpaid and not to be ended %d, refused %d; events doubled %d, malformed %d, injected %d, dropped %d)\n",
			n.Circuits, n.Ended, n.Unknown, n.Shared, n.Unended, n.Refused, n.Doubled, n.Malformed, n.Injected, n.Dropped)
	}
	fmt.Fprintf(w, "spent\t%d msat\t(routing %d, held %d)\n", st.Totals.SpentMsat, st.Totals.RoutingMsat, st.Totals.HeldMsat)
	fmt.Fprintf(w, "earned\t%d msat\t(late %d, unclaimed %d)\n", st.Totals.EarnedMsat, st.Totals.LateMsat, st.Totals.UnclaimedMsat)
	for _, s := range st.Today {
		fmt.Fprintf(w, "  of it today\t%d msat\tto %s for %s, %d payments (routing %d, held %d)\n",
			s.SpentMsat, cmp.Or(s.Relay, "a relay that is forgotten"), cmp.Or(s.Controller, "apps"), s.Payments, s.RoutingMsat, s.HeldMsat)
	}
	if st.AtCap != nil {
		what := "refused"
		if st.AtCap.Free {
			what = "free, through tor's ordinary circuits"
		}
		fmt.Fprintf(w, "apps\t%s\tsince %s: %s\n", what, st.AtCap.Since.Format(time.RFC3339), st.AtCap.Text)
	}
	for _, u := range st.Budget {
		fmt.Fprintf(w, "budget %s\t%d msat left\tof %d\n", u.Which, u.LeftMsat(), u.LimitMsat)
	}
	if st.NodeAway != "" {
		fmt.Fprintf(w, "lightning\tdoes not answer\tsince %s\n", st.NodeAway)
	}
	if st.Restored != "" {
		fmt.Fprintf(w, "lightning\trestored\t%s\n", st.Restored)
	}
	for _, problem := range st.Node {
		fmt.Fprintf(w, "lightning\t%s\n", problem)
	}
	if n := st.Newcomers; n != nil {
		asked := map[string]string{"free": "nothing", "fee": "the opening fee", "ahead": "their first round ahead"}[n.Asked]
		fmt.Fprintf(w, "newcomers\tare asked for %s\t(%d free ones now, %d newcomers in the last minute)\n", asked, n.Free, n.AMinute)
	}
	fmt.Fprintf(w, "\nPAY STREAM\tROLE\tSTATUS\tROUND\tPAID\tDUE\tBYTES\tCIRCUIT\tREASON\n")
	for _, s := range st.PayStreams {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d/%d\t%d\t%d\t%d\t%s\t%s\n",
			s.Handle, s.Role, s.Status, s.Round, s.Rounds, s.PaidMsat, s.DueMsat, s.Bytes, s.Circuit, s.Reason)
	}
	return w.Flush()
}
