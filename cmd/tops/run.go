package main

import (
	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/policies/access"
)

type configFlag struct {
	Config string `short:"c" default:"/etc/tops/tops.toml" type:"path" help:"The configuration file."`
}

type runCmd struct {
	configFlag
}

func (c *runCmd) Run(e *env) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	return app.Run(e.ctx, cfg, app.Options{
		Version: version(), Log: e.log,
		Guardian: []string{"/proc/self/exe", "guard", "--config", c.Config},
		Policy:   func(p *access.Policy) (stop func()) { return reloadOnHangup(e, p) },
	})
}
