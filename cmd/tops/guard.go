package main

import (
	"os"

	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/guard"
)

// guardCmd is what `tops run` starts beside a client: see package guard.
type guardCmd struct {
	configFlag
}

func (c *guardCmd) Run(*env) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	o, err := app.TorOptions(cfg)
	if err != nil {
		return err
	}
	return guard.Watch(os.Stdin, os.Stdout, guard.Ward{Tor: o, StateFile: app.ClientStateFile(cfg)})
}
