package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/el-tor/tops/internal/doctor"
	"github.com/el-tor/tops/internal/setup"
)

type relayInitCmd struct {
	configFlag
	DataDir    string `type:"path" placeholder:"DIR" help:"Where the books go, and what tor is to get back."`
	Tor        string `placeholder:"ADDR" help:"tor's control port, unix:PATH or host:port; where Debian's is, if not given."`
	RPC        string `name:"rpc" type:"path" placeholder:"FILE" help:"Core Lightning's socket lightning-rpc; looked for in the usual places, if not given."`
	Address    string `placeholder:"IP" help:"The relay's public IPv4 address; tor's word, if not given."`
	AddAddress bool   `help:"Behind a NAT or in a container: give the loopback interface that address (needs root)."`
	Port       uint16 `placeholder:"N" help:"Port of the gateway (9402)."`
	RateMsat   int64  `placeholder:"N" help:"Price of a round, in msat (1000)."`
	ExitPolicy string `placeholder:"POLICY" help:"Where paying clients may connect: tor's syntax, or reduced."`

	Group string `placeholder:"NAME" help:"Let this group read the file, which is then 0640, as for a service that is one of it."`

	Yes    bool `short:"y" help:"Ask nothing; end with 1 if there are problems or the file exists."`
	Force  bool `help:"With --yes: write in spite of problems, and over a file that exists (kept as FILE.old)."`
	DryRun bool `help:"Show what would be, and change nothing anywhere."`
	JSON   bool `help:"Print as JSON; with --yes or --dry-run."`
}

func (c *relayInitCmd) Run(e *env) error {
	if c.JSON && !c.Yes && !c.DryRun {
		return wrong("--json asks nothing: say --yes or --dry-run with it")
	}
	p := &prompt{bufio.NewReader(os.Stdin), e.stdout}
	o := setup.RelayOptions{File: c.Config, Set: c.settings(), Group: c.Group, AddAddress: c.AddAddress, DryRun: c.DryRun}
	if err := c.complete(&o, p); err != nil {
		return err
	}
	plan, err := setup.PlanRelay(e.ctx, o)
	if plan == nil {
		return err
	}
	if err == nil && !c.DryRun {
		err = c.write(e, p, plan)
		if err != nil || !plan.Written {
			err = errors.Join(err, plan.Drop(context.WithoutCancel(e.ctx)))
		}
	} else if !c.JSON {
		err = errors.Join(printPlan(e.stdout, plan), err)
	}
	if c.JSON {
		return errors.Join(printJSON(e, plan), err)
	}
	return err
}

// settings are the flags, as keys of tops.toml.
func (c *relayInitCmd) settings() []string {
	set := append([]string(nil), c.Set...)
	add := func(key, value string) {
		if value != "" {
			set = append(set, key+"="+value)
		}
	}
	add("data_dir", c.DataDir)
	add("tor.control", c.Tor)
	add("lightning.rpc", c.RPC)
	add("relay.address", c.Address)
	if c.Port != 0 {
		add("relay.port", strconv.Itoa(int(c.Port)))
	}
	if c.RateMsat != 0 {
		add("relay.rate_msat", strconv.FormatInt(c.RateMsat, 10))
	}
	add("relay.exit_policy", c.ExitPolicy)
	return set
}

// complete finds what was not said: tor, the node, and, by asking, the price and
// the policy.
func (c *relayInitCmd) complete(o *setup.RelayOptions, p *prompt) error {
	l, _, err := o.Load()
	if l == nil {
		return err
	}
	if _, said := l.Origins["tor.control"]; !said {
		o.Set = append(o.Set, "tor.control="+setup.FindTor())
	}
	if l.Lightning.RPC == "" {
		path, err := c.findNode(p)
		if err != nil {
			return err
		}
		o.Set = append(o.Set, "lightning.rpc="+path)
	}
	if c.Yes || c.DryRun {
		return nil
	}
	for _, q := range []struct{ key, question, usual string }{
		{"relay.rate_msat", "Price of a round, in msat (1000 msat are 1 sat)", strconv.FormatInt(l.Relay.RateMsat, 10)},
		{"relay.exit_policy", "Where paying clients may connect, in tor's syntax, or `reduced`", l.Relay.ExitPolicy},
	} {
		if _, said := l.Origins[q.key]; said {
			continue
		}
		answer, err := p.ask(q.question, q.usual)
		if err != nil {
			return err
		}
		if answer != q.usual {
			o.Set = append(o.Set, q.key+"="+answer)
		}
	}
	return nil
}

// findNode finds the one node, or asks which.
func (c *relayInitCmd) findNode(p *prompt) (string, error) {
	found := setup.FindNodes()
	real := 0 // nodes of real money, which come first
	for _, n := range found {
		if n.Network == "bitcoin" {
			real++
		}
	}
	switch {
	case len(found) == 0:
		return "", errors.New("no lightning-rpc was found in the usual places: say --rpc FILE (`lightning-cli getinfo` shows lightning-dir)")
	case len(found) == 1 || real == 1:
		return found[0].Path, nil
	}
	var b strings.Builder
	for i, n := range found {
		fmt.Fprintf(&b, "\n  %d  %s (%s)", i+1, n.Path, n.Network)
	}
	if c.Yes || c.DryRun {
		return "", fmt.Errorf("there are several nodes, say which with --rpc FILE:%s", b.String())
	}
	answer, err := p.ask("There are several Lightning nodes:"+b.String()+"\nWhich", "1")
	if err != nil {
		return "", err
	}
	i, err := strconv.Atoi(answer)
	if err != nil || i < 1 || i > len(found) {
		return "", fmt.Errorf("%q is none of them", answer)
	}
	return found[i-1].Path, nil
}

// write writes the configuration, if that is agreed to.
func (c *relayInitCmd) write(e *env, p *prompt, plan *setup.RelayPlan) error {
	if !c.JSON {
		if err := printPlan(e.stdout, plan); err != nil {
			return err
		}
	}
	sick := doctor.Sick(plan.Findings)
	if c.Yes && !c.Force {
		if sick {
			return errors.New("there are problems, so nothing was written: mend them, or say --force")
		}
		if plan.Exists {
			return fmt.Errorf("%s exists, so nothing was written: say --force to replace it (it is kept as %s.old)", plan.File, plan.File)
		}
	}
	if !c.Yes {
		question := "Write " + plan.File
		if plan.Exists {
			question = fmt.Sprintf("%s exists. Replace it (it is kept as %s.old)", plan.File, plan.File)
		}
		if sick {
			question = "There are problems. " + question + " in spite of them"
		}
		agreed, err := p.agree(question)
		if err != nil {
			return err
		}
		if !agreed {
			fmt.Fprintln(e.stdout, "nothing was written")
			return nil
		}
	}
	if err := plan.Write(); err != nil {
		return err
	}
	if !c.JSON {
		fmt.Fprintf(e.stdout, "\nwrote %s\nnext: tops run -c %s    which sets tor's options and serves\n      tops doctor -c %s    to see whether payers get through\n      tops relay undo -c %s    to take it all back\n",
			plan.File, plan.File, plan.File, plan.File)
	}
	return nil
}

// printPlan shows what would be, for a person.
func printPlan(w io.Writer, p *setup.RelayPlan) error {
	if err := printFindings(w, p.Findings); err != nil || p.Relay == "" {
		return err
	}
	var b strings.Builder
	was := "no exit until now"
	if p.WasExit {
		was = "an exit already"
	}
	r := p.Config.Relay
	fmt.Fprintf(&b, "\nWhat would be sold\n")
	fmt.Fprintf(&b, "  relay    %s, %s\n", p.Relay, was)
	fmt.Fprintf(&b, "  gateway  %s, where paying clients may connect: %s\n", p.Gateway, r.ExitPolicy)
	fmt.Fprintf(&b, "  price    %d msat for each round of %s, %d of %d rounds free, %d msat for the last: %d msat in all\n",
		r.RateMsat, time.Duration(r.Interval), r.FreeRounds, r.Rounds, r.FinalMsat, p.Schedule.TotalMsat())
	fmt.Fprintf(&b, "  offer    %s\n", offerLine(p))
	if p.Address != "" {
		fmt.Fprintf(&b, "  address  %s was given to lo; it is gone after a restart of the machine: see docs/relay.md\n", p.Address)
	}
	fmt.Fprintf(&b, "\nWhat `tops run` sets in tor, and `tops relay undo` puts back; torrc is not touched\n")
	for _, o := range p.Options {
		if o.Kept() {
			fmt.Fprintf(&b, "  %s stays as it is: %s\n", o.Key, value(o.Now))
			continue
		}
		fmt.Fprintf(&b, "  %s\n    - %s\n    + %s\n", o.Key, value(o.Now), value(o.Ours))
	}
	law := `  In law this machine becomes an exit: connections of paying clients come from its
  address, and complaints about them to you. In Tor's consensus it does not: the
  relay gets no Exit flag by this, and no stranger's circuits end here.
`
	if p.WasExit {
		law = `  This machine is an exit already, and more comes from its address: the connections
  of paying clients, which go by the gateway's policy and not by tor's.
`
	}
	fmt.Fprintf(&b, "\nWhat it means\n%s  Everybody can read in the relay's descriptor that it is paid, and how.\n\n%s, %s\n%s", law, p.File, readers(p), indent(p.Text))
	_, err := io.WriteString(w, b.String())
	return err
}

func readers(p *setup.RelayPlan) string {
	if p.Group == "" {
		return "mode 0600"
	}
	return "mode 0640, group " + p.Group
}

func offerLine(p *setup.RelayPlan) string {
	if p.Offer.ID == "" {
		return "made when you agree"
	}
	made := "there already"
	if p.Offer.Made {
		made = "made just now"
	}
	return fmt.Sprintf("%.16s…, %s; %s", p.Offer.ID, made, p.Offer.Revealed)
}

func value(values []string) string {
	if len(values) == 0 {
		return "(not set)"
	}
	return strings.Join(values, " | ")
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  ") + "\n"
}
