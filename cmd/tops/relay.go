package main

import (
	"fmt"
	"strings"

	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/relay"
)

type relayCmd struct {
	Undo relayUndoCmd `cmd:"" help:"Put every tor option back that a relay of tops set."`
}

type relayUndoCmd struct {
	configFlag
}

func (c *relayUndoCmd) Run(e *env) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if _, err := app.AskStatus(e.ctx, cfg); err == nil {
		return fmt.Errorf("tops is running with this configuration and would set its options again: stop it first")
	}
	o, err := app.TorOptions(cfg)
	if err != nil {
		return err
	}
	restored, err := relay.Undo(e.ctx, o, app.RelayStateFile(cfg))
	if err != nil {
		return err
	}
	if len(restored) == 0 {
		_, err = fmt.Fprintln(e.stdout, "nothing to put back")
		return err
	}
	_, err = fmt.Fprintln(e.stdout, "put back:", strings.Join(restored, " "))
	return err
}
