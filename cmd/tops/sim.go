package main

import (
	"fmt"
	"path/filepath"

	"github.com/el-tor/tops/cln/clnsim"
)

type simCmd struct {
	Dir   string   `required:"" type:"path" help:"Where the nodes' sockets go: NAME-rpc, and control for whoever makes trouble."`
	Nodes []string `default:"payer,payee" help:"The nodes' names."`
	Seed  uint64   `help:"Of keys and dice; 0 draws one."`
}

func (c *simCmd) Run(e *env) error {
	w := clnsim.NewWorld(clnsim.Options{Seed: c.Seed})
	defer w.Close()
	for _, name := range c.Nodes {
		if err := w.AddNode(name, clnsim.NodeOptions{}); err != nil {
			return err
		}
		path := filepath.Join(c.Dir, name+"-rpc")
		if err := w.Start(name, path); err != nil {
			return err
		}
		fmt.Fprintf(e.stdout, "PLAY MONEY node %s: %s\n", name, path)
	}
	return w.ServeControl(e.ctx, filepath.Join(c.Dir, "control"))
}
