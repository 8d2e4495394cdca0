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
	"github.com/el-tor/tops/internal/fault"
	"github.com/rs/zerolog"
)

type cli struct {
	Run       runCmd       `cmd:"" help:"Run the roles that a configuration names; where there is none at all, a control port in front of tor's."`
	Status    statusCmd    `cmd:"" help:"Show what a running tops is doing."`
	Relays    relaysCmd    `cmd:"" help:"List the relays that ask to be paid: price, terms, flags, bandwidth, own experience."`
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
	Debug     debugCmd     `cmd:"" help:"Gather what helps to find out what is wrong."`
	Version   versionCmd   `cmd:"" help:"Print the version."`

	Completion completionCmd `cmd:"" help:"Print what completes commands in a shell."`
	Man        manCmd        `cmd:"" hidden:"" help:"Print a manual page."`
	Guard      guardCmd      `cmd:"" hidden:""`

	LogLevel  string           `default:"info" enum:"debug,info,warn,error" env:"TOPS_LOG_LEVEL" help:"How much to log: ${enum}."`
	LogFormat string           `default:"text" enum:"text,json" env:"TOPS_LOG_FORMAT" help:"How to log: ${enum}, which is a line of JSON each."`
	Ver       kong.VersionFlag `name:"version" help:"Print the version."`
}

// env is what subcommands get from main.
type env struct {
	ctx    context.Context
	stdout io.Writer
	log    zerolog.Logger
	recent *logTail // the end of the log
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
		kong.Help(helpWithExitCodes),
		kong.Vars{"version": "tops " + version(), "config": defaultConfig},
	)
	if err != nil {
		panic(err) // the command definitions themselves are wrong
	}
	k, err := parser.Parse(args)
	if err != nil {
		return wrongUsage(parser, err)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	tail := newLogTail()
	err = k.Run(&env{ctx: ctx, stdout: os.Stdout, log: logger(&c, tail), recent: tail})
	if err == nil || errors.Is(err, context.Canceled) {
		return 0
	}
	fmt.Fprintln(os.Stderr, "tops:", err)
	why := class(err)
	if why == fault.Tor || why == fault.Lightning {
		fmt.Fprintln(os.Stderr, "tops doctor, with the same configuration, says what to do")
	}
	return why.Code()
}

// isTerminal reports whether somebody is watching.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// logger writes to stderr, and keeps the last lines.
func logger(c *cli, tail *logTail) zerolog.Logger {
	level, err := zerolog.ParseLevel(c.LogLevel)
	if err != nil {
		level = zerolog.InfoLevel
	}
	zerolog.TimeFieldFormat = time.RFC3339Nano
	var w io.Writer = zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: "15:04:05.000", NoColor: !isTerminal(os.Stderr)}
	if c.LogFormat == "json" {
		w = os.Stderr
	}
	return zerolog.New(zerolog.MultiLevelWriter(w, tail)).Level(level).With().Timestamp().Logger()
}
