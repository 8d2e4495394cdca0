package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/policies/access"
)

type runCmd struct {
	configFlag
}

func (c *runCmd) Run(e *env) error {
	if c.isNothing() {
		return c.proxyAlone(e)
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	return app.Run(e.ctx, cfg, app.Options{
		Version: version(), Log: e.log,
		Guardian: append([]string{"/proc/self/exe", "guard"}, c.args()...),
		Ready: func() {
			notifyReady(e, func(ctx context.Context) error { _, err := app.AskStatus(ctx, cfg); return err })
		},
		Policy: func(p *access.Policy) (stop func()) { return reloadOnHangup(e, p) },
	})
}

// isNothing reports whether nobody has configured anything yet.
func (c *runCmd) isNothing() bool {
	_, err := os.Stat(c.Config)
	return c.Config == defaultConfig && len(c.Set) == 0 && errors.Is(err, fs.ErrNotExist)
}

// proxyAlone is what tops is without a configuration: a control port in front of
// tor that changes nothing.
func (c *runCmd) proxyAlone(e *env) error {
	const listen = "127.0.0.1:9151"
	fmt.Fprintf(e.stdout, `There is no %s, so this is a control port in front of tor's, on %s, and nothing else.
To be paid as a relay:  tops relay init
To pay as a client:     tops config example client > tops.toml, then tops run -c tops.toml
To see it all first:    tops demo
`, c.Config, listen)
	alone := proxyCmd{proxyFlags: proxyFlags{Listen: []string{listen}, Auth: "pass", Mode: "0600", StallTimeout: 5 * time.Minute}}
	return alone.Run(e)
}
