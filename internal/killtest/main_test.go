package killtest_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

var soak = flag.Bool("soak", false, "ten times the kills, and outages of a minute")

// The environment of a process that this binary starts of itself.
const (
	envRole    = "KILLTEST_ROLE"    // payer or payee
	envDir     = "KILLTEST_DIR"     // the books and the nodes' sockets
	envGateway = "KILLTEST_GATEWAY" // where the payee listens
	envStreams = "KILLTEST_STREAMS" // how many pay streams the payer keeps going; 0: it only ends what it has
)

func TestMain(m *testing.M) {
	role, ok := map[string]func(context.Context) error{"payer": runPayer, "payee": runPayee}[os.Getenv(envRole)]
	if !ok {
		flag.Parse()
		_ = flag.Set("test.parallel", size("8", "4")) // what the tests do most is wait
		goleak.VerifyTestMain(m)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := role(ctx); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, os.Getenv(envRole)+":", err)
		os.Exit(1)
	}
}

// size is one thing in a test and another in a soak.
func size[T any](test, soaking T) T {
	if *soak {
		return soaking
	}
	return test
}
