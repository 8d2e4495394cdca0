package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/guard"
	"github.com/el-tor/tops/internal/testnet"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

// envConfig makes a process of this test binary one of TOPS with this
// configuration: tops run, or with an argument the guardian that it starts.
const envConfig = "CONTROLLERS_CONFIG"

func TestMain(m *testing.M) {
	if file := os.Getenv(envConfig); file != "" {
		if err := runTops(file, len(os.Args) > 1); err != nil && !errors.Is(err, context.Canceled) {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if err := testnet.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func runTops(file string, guardian bool) error {
	cfg, err := config.Load(file)
	if err != nil {
		return err
	}
	if guardian {
		o, err := app.TorOptions(cfg)
		if err != nil {
			return err
		}
		return guard.Watch(os.Stdin, os.Stdout, guard.Ward{Tor: o, StateFile: app.ClientStateFile(cfg)})
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return app.Run(ctx, cfg, app.Options{
		Version: "controllers", Log: zerolog.New(os.Stderr).With().Timestamp().Logger(),
		Guardian: []string{"/proc/self/exe", "guard"},
	})
}
