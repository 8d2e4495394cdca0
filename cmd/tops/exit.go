package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/el-tor/tops/internal/fault"
	"github.com/el-tor/tops/internal/tor"
)

// wrongUsage says what is wrong with a command line, and how it is meant.
func wrongUsage(parser *kong.Kong, err error) int {
	parser.Errorf("%s", err)
	var p *kong.ParseError
	if errors.As(err, &p) && p.Context.Selected() != nil {
		parser.Stdout = parser.Stderr
		_ = p.Context.PrintUsage(true)
	} else {
		fmt.Fprintln(parser.Stderr, "tops --help lists what there is")
	}
	return fault.Usage.Code()
}

// class is the class of what ended a command.
func class(err error) fault.Class {
	c := fault.Of(err)
	if c == fault.Other && errors.Is(err, tor.ErrUnreachable) {
		return fault.Tor
	}
	return c
}

// helpWithExitCodes is kong's help, with the exit codes below that of tops itself.
func helpWithExitCodes(o kong.HelpOptions, c *kong.Context) error {
	if err := kong.DefaultHelpPrinter(o, c); err != nil || c.Selected() != nil || o.Summary {
		return err
	}
	_, err := io.WriteString(c.Stdout, "\nExit codes:\n"+exitCodes("  %d    %s\n"))
	return err
}

// exitCodes lists them, a line each.
func exitCodes(format string) string {
	var b strings.Builder
	for _, c := range fault.Classes() {
		fmt.Fprintf(&b, format, c.Code(), c)
	}
	return b.String()
}
