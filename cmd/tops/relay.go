package main

import (
	"fmt"
	"strings"

	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/setup"
)

type relayCmd struct {
	Init relayInitCmd `cmd:"" help:"Make a paid relay of this machine: look at everything, show what would change, write tops.toml."`
	Undo relayUndoCmd `cmd:"" help:"Put every tor option back that a relay of tops set, and disable its offers."`
}

type relayUndoCmd struct {
	configFlag
	KeepOffer bool `help:"Leave the offers of the relay active."`
	JSON      bool `help:"Print as JSON."`
}

func (c *relayUndoCmd) Run(e *env) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if _, err := app.AskStatus(e.ctx, cfg); err == nil {
		return fmt.Errorf("tops is running with this configuration and would set its options again: stop it first")
	}
	undone, err := setup.Undo(e.ctx, cfg, c.KeepOffer)
	if c.JSON {
		if perr := printJSON(e, undone); perr != nil {
			return perr
		}
		return err
	}
	nothing := true
	for _, done := range []struct {
		what string
		list []string
	}{{"put back in tor", undone.Options}, {"offers disabled", undone.Offers}, {"address taken from lo", undone.Addresses}} {
		if len(done.list) > 0 {
			nothing = false
			fmt.Fprintf(e.stdout, "%s: %s\n", done.what, strings.Join(done.list, " "))
		}
	}
	if nothing && err == nil {
		fmt.Fprintln(e.stdout, "nothing to put back")
	}
	return err
}
