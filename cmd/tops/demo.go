package main

import "github.com/el-tor/tops/internal/demo"

type demoCmd struct {
	JSON bool   `help:"Print what happened as JSON."`
	Keep bool   `help:"Keep the demonstration's directory, with every log."`
	Only string `enum:",honest,unpaid,stall,relay-kill,client-kill" default:"" placeholder:"SCENE" help:"Play this scene alone: honest, unpaid, stall, relay-kill or client-kill."`
}

func (c *demoCmd) Run(e *env) error {
	return demo.Run(e.ctx, demo.Options{Out: e.stdout, JSON: c.JSON, Keep: c.Keep, Only: c.Only})
}
