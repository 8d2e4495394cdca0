package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/client"
)

type relaysCmd struct {
	configFlag
	Terms bool `help:"Show each relay's terms, whole, as it publishes them."`
	JSON  bool `help:"Print as JSON."`
}

func (c *relaysCmd) Run(e *env) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	list, err := app.AskRelays(e.ctx, cfg)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e, list)
	}
	return printRelays(e.stdout, list, c.Terms)
}

// printRelays is the list for people.
func printRelays(out io.Writer, list []client.RelayStatus, terms bool) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "tor knows no relay that asks to be paid. Descriptors come within some minutes after the start; a relay can be named in client.relays")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RELAY\tNAME\tMSAT/HOUR\tROUND\tSHARE\tKB/S\tSEEN\tFLAGS")
	for _, r := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.1f%%\t%d\t%s\t%s\n", r.Relay, r.Nickname, price(r), round(r), 100*r.Share, r.BandwidthKB, seen(r), strings.Join(r.Flags, ","))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range list {
		if r.Unusable != "" {
			fmt.Fprintf(out, "%s is not used: %s\n", cmp.Or(r.Nickname, r.Relay), r.Unusable)
		}
		if terms && r.Terms != "" {
			fmt.Fprintf(out, "%s\n", r.Terms)
		}
	}
	_, err := fmt.Fprintln(out, "Paid is the exit, whose gateway serves who pays. A middle relay is paid on its word, if client.pay_middle says so; a guard never.")
	return err
}

func price(r client.RelayStatus) string {
	if r.Terms == "" {
		return "not known"
	}
	return fmt.Sprint(r.HourMsat)
}

func round(r client.RelayStatus) string {
	if r.Terms == "" {
		return "-"
	}
	return fmt.Sprintf("%d msat per %s", r.RateMsat, time.Duration(r.Interval*float64(time.Second)))
}

// seen is what this client has seen of a relay: rounds, failures, pace.
func seen(r client.RelayStatus) string {
	s := r.Experience
	var what []string
	for _, f := range []struct {
		n    float64
		what string
	}{{s.Good, "good"}, {s.Bad, "bad"}, {s.Failed, "failed"}} {
		if f.n >= 0.05 {
			what = append(what, fmt.Sprintf("%.1f %s", f.n, f.what))
		}
	}
	if g := s.Goodput(); g > 0 {
		what = append(what, fmt.Sprintf("%d kB/s", g/1000))
	}
	if f := s.FirstByte(); f > 0 {
		what = append(what, f.Round(time.Millisecond).String())
	}
	if len(what) == 0 {
		return "nothing yet"
	}
	return fmt.Sprintf("%s (×%.2g)", strings.Join(what, ", "), r.Weight)
}
