package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/cln/clnsim"
)

type simCmd struct {
	Run simRunCmd `cmd:"" default:"withargs" help:"Run the nodes."`
	Ctl simCtlCmd `cmd:"" help:"Make trouble for nodes that run, or ask what really happened."`
}

// simDir is where the sockets of a simulator are.
type simDir struct {
	Dir string `required:"" type:"path" placeholder:"DIR" help:"Where the nodes' sockets are: NAME-rpc, and control for whoever makes trouble."`
}

func (d simDir) control() string { return filepath.Join(d.Dir, "control") }

type simRunCmd struct {
	simDir
	Nodes []string `default:"payer,payee" help:"The nodes' names."`
	Seed  uint64   `placeholder:"N" help:"Of keys and dice; one is drawn, if not given."`
}

func (c *simRunCmd) Run(e *env) error {
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
	return w.ServeControl(e.ctx, c.control())
}

// simCtlCmd asks the control socket of a simulator: see [clnsim.World.ServeControl].
type simCtlCmd struct {
	simDir
	Method string `arg:"" help:"nodes, addnode, faults, outage, offline, snapshot, restore, name, balances, payments or audit."`
	Params string `arg:"" optional:"" default:"{}" help:"Its parameters, a JSON object: '{\"node\":\"payer\",\"set\":{\"failrate\":\"0.3\"}}'."`
}

func (c *simCtlCmd) Run(e *env) error {
	if !json.Valid([]byte(c.Params)) {
		return wrong("%q is no JSON: the parameters are an object, such as '{\"node\":\"payer\"}'", c.Params)
	}
	client := cln.NewClient(c.control())
	defer client.Close()
	var answer json.RawMessage
	if err := client.Call(e.ctx, c.Method, json.RawMessage(c.Params), &answer); err != nil {
		return err
	}
	return printJSON(e, answer)
}
