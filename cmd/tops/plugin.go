package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/plugin"
)

// isPlugin reports whether lightningd has started this process. A developer's
// lightningd tells its plugins so; what a plugin starts itself has other arguments.
func isPlugin() bool {
	return os.Getenv("LIGHTNINGD_PLUGIN") != "" && (len(os.Args) == 1 || os.Args[1] == "--developer")
}

// runPlugin is tops as a plugin of Core Lightning.
func runPlugin() int {
	tail := newLogTail()
	log := logger(&cli{LogLevel: "info"}, tail)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := plugin.Serve(ctx, plugin.Config{
		Run: func(ctx context.Context, cfg *config.Config, path string, ready func(plugin.Tops)) error {
			if err := app.WaitForNode(ctx, cfg); err != nil {
				return err
			}
			return app.Run(ctx, cfg, app.Options{
				Version: version(), Log: log, Recent: tail.Bytes,
				Guardian: []string{"/proc/self/exe", "guard", "--config", path},
				Running:  func(a *app.App) { ready(a) },
			})
		},
	}, os.Stdin, os.Stdout)
	if err == nil || errors.Is(err, context.Canceled) {
		return 0
	}
	log.Error().Err(err).Msg("tops")
	return 1
}
