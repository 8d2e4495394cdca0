package main

import (
	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/policies/access"
)

type runCmd struct {
	configFlag
}

func (c *runCmd) Run(e *env) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	return app.Run(e.ctx, cfg, app.Options{
		Version: version(), Log: e.log,
		Guardian: append([]string{"/proc/self/exe", "guard"}, c.args()...),
		Policy:   func(p *access.Policy) (stop func()) { return reloadOnHangup(e, p) },
	})
}
