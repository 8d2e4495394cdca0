// Command tops is TOPS, the Onion Pay Stream: it pays the relays of Tor circuits,
// and is paid as one, over Lightning. `tops --help` lists what it does; each
// subcommand is a file here, and only reads flags and wires.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/rs/zerolog"
)

type cli struct {
	Run       runCmd       `cmd:"" help:"Run the roles that a configuration names."`
	Status    statusCmd    `cmd:"" help:"Show what a running tops is doing."`
	Config    configCmd    `cmd:"" help:"Print, check and show the configuration."`
	Doctor    doctorCmd    `cmd:"" help:"Look at tor, the Lightning node and tops, and say what is wrong and what to do."`
	Ledger    ledgerCmd    `cmd:"" help:"Show the books: totals, and the pay streams."`
	Earnings  earningsCmd  `cmd:"" help:"Show what came in by day or hour."`
	Paystream paystreamCmd `cmd:"" help:"Tell the story of one pay stream."`
	Relay     relayCmd     `cmd:"" help:"Set a relay up, and set its tor back."`
	Proxy     proxyCmd     `cmd:"" help:"Run the control-port proxy alone, with no wallet and no configuration."`
	Policy    policyCmd    `cmd:"" help:"Check, explain and learn what controllers may do."`
	Demo      demoCmd      `cmd:"" help:"See it all happen on a private Tor network with play money."`
	Sim       simCmd       `cmd:"" help:"Run play-money Lightning nodes."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
	Guard     guardCmd     `cmd:"" hidden:""`

	LogLevel string           `default:"info" enum:"debug,info,warn,error" help:"How much to log: ${enum}."`
	LogJSON  bool             `name:"log-json" help:"Log as JSON lines."`
	Ver      kong.VersionFlag `name:"version" help:"Print the version."`
}

// env is what subcommands get from main.
type env struct {
	ctx    context.Context
	stdout io.Writer
	log    zerolog.Logger
}

func main() {
	if isPlugin() {
		os.Exit(runPlugin())
	}
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	var c cli
	parser, err := kong.New(&c,
		kong.Name("tops"),
		kong.Description("The Onion Pay Stream: pay the relays of Tor circuits over Lightning, one sat a minute, and be paid as one."),
		kong.UsageOnError(),
		kong.Vars{"version": "tops " + version(), "config": defaultConfig},
	)
	if err != nil {
		panic(err) // the command definitions themselves are wrong
	}
	k, err := parser.Parse(args)
	parser.FatalIfErrorf(err)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = k.Run(&env{ctx: ctx, stdout: os.Stdout, log: logger(&c)})
	if err == nil || errors.Is(err, context.Canceled) {
		return 0
	}
	fmt.Fprintln(os.Stderr, "tops:", err)
	return 1
}

// isTerminal reports whether somebody is watching.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func logger(c *cli) zerolog.Logger {
	level, err := zerolog.ParseLevel(c.LogLevel)
	if err != nil {
		level = zerolog.InfoLevel
	}
	zerolog.TimeFieldFormat = time.RFC3339Nano
	var w io.Writer = zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: "15:04:05.000", NoColor: !isTerminal(os.Stderr)}
	if c.LogJSON {
		w = os.Stderr
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}
