package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/el-tor/tops/internal/app"
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
	running := make(chan *app.App, 1)
	defer c.reloadOnHangup(e, running)()
	return app.Run(e.ctx, cfg, app.Options{
		Version: version(), Log: e.log,
		Guardian: append([]string{"/proc/self/exe", "guard"}, c.args()...),
		Ready: func() {
			notifyReady(e, func(ctx context.Context) error { _, err := app.AskStatus(ctx, cfg); return err })
		},
		Recent:  e.recent.Bytes,
		Running: func(a *app.App) { running <- a },
	})
}

// reloadOnHangup takes over a changed configuration on SIGHUP, as far as that can
// be done while tops runs, until stop.
func (c *runCmd) reloadOnHangup(e *env, running chan *app.App) (stop func()) {
	return onHangup(e, func(ctx context.Context) {
		var a *app.App
		select {
		case a = <-running:
		default:
			e.log.Warn().Msg("not reloaded: tops is starting")
			return
		}
		defer func() { running <- a }()
		cfg, err := c.load()
		if err != nil {
			e.log.Error().Err(err).Msg("configuration not reloaded, the former one holds")
			return
		}
		r, err := a.Reload(ctx, cfg)
		if err != nil {
			e.log.Error().Err(err).Msg("not reloaded, the former one holds")
			return
		}
		e.log.Info().Strs("changed", r.Changed).Strs("profiles", r.Profiles).Msg("configuration reloaded")
		if len(r.Restart) > 0 {
			e.log.Warn().Strs("keys", r.Restart).Msg("these have changed, too, and hold from the next start on")
		}
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
To pay as a client:     tops config example client > tops.toml, lightning.rpc in it, then tops run -c tops.toml
To see it all first:    tops demo
`, c.Config, listen)
	alone := proxyCmd{proxyFlags: proxyFlags{Listen: []string{listen}, Auth: "pass", Mode: "0600", StallTimeout: 5 * time.Minute}}
	return alone.Run(e)
}
