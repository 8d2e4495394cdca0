package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/fault"
)

// configFlag is what every subcommand takes that reads the configuration.
type configFlag struct {
	Config string   `short:"c" default:"${config}" type:"path" env:"TOPS_CONFIG" placeholder:"FILE" help:"The configuration file (${default})."`
	Set    []string `placeholder:"KEY=VALUE" sep:"none" help:"Override a key of it, such as client.day_msat=100000; may repeat."`
}

// load puts the configuration together: file, environment, flags.
func (c *configFlag) load() (*config.Config, error) {
	l, err := c.loaded()
	if err != nil {
		return nil, err
	}
	return l.Config, nil
}

// loaded is the same, with where each value comes from.
func (c *configFlag) loaded() (*config.Loaded, error) {
	l, err := c.sources().Load()
	return l, fault.Mark(fault.Usage, err)
}

func (c *configFlag) sources() config.Sources {
	return config.Sources{File: c.Config, Environ: os.Environ(), Set: c.Set}
}

// args are the flags again, for another process of ours.
func (c *configFlag) args() []string {
	args := []string{"--config=" + c.Config}
	for _, entry := range c.Set {
		args = append(args, "--set="+entry)
	}
	return args
}

type configCmd struct {
	Example configExampleCmd `cmd:"" help:"Print a commented tops.toml with every key and its default."`
	Check   configCheckCmd   `cmd:"" help:"Say what is wrong with a configuration, or nothing."`
	Show    configShowCmd    `cmd:"" help:"Show the values that hold, and where each comes from."`
}

type configExampleCmd struct {
	Roles []string `arg:"" optional:"" enum:"client,relay" help:"Tables to make of it: client, relay; none is left commented out."`
}

func (c *configExampleCmd) Run(e *env) error {
	return config.WriteExample(e.stdout, c.Roles...)
}

type configCheckCmd struct {
	configFlag
	File string `arg:"" optional:"" type:"path" help:"The file to check, if not that of --config."`
}

func (c *configCheckCmd) Run(e *env) error {
	if c.File != "" {
		c.Config = c.File
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if err := app.CheckProxy(cfg); err != nil {
		return err
	}
	is := []string{}
	if cfg.Client != nil {
		is = append(is, "client")
	}
	if cfg.Relay != nil {
		is = append(is, "relay")
	}
	if len(is) == 0 {
		is = append(is, "no role, a control-port proxy alone")
	}
	_, err = fmt.Fprintf(e.stdout, "%s: ok (%s)\n", c.Config, strings.Join(is, " and "))
	return err
}

type configShowCmd struct {
	configFlag
	JSON bool `help:"Print as JSON."`
}

// effective is a key's line in `tops config show --json`.
type effective struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
	config.Origin
}

func (c *configShowCmd) Run(e *env) error {
	l, err := c.loaded()
	if err != nil {
		return err
	}
	all := effectiveConfig(l)
	if c.JSON {
		enc := json.NewEncoder(e.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(all)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	for _, v := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\n", v.Key, config.TOML(v.Value), v.Origin)
	}
	return w.Flush()
}

// effectiveConfig lists what holds, passwords masked.
func effectiveConfig(l *config.Loaded) []effective {
	var all []effective
	for _, k := range config.Keys() {
		value, ok := k.Value(l.Config)
		if !ok {
			continue
		}
		from, ok := l.Origins[k.Name]
		if !ok {
			from = config.Origin{Source: "default"}
		}
		all = append(all, effective{k.Name, value, from})
	}
	return all
}
