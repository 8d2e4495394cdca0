package doctor

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// State is how a thing is.
type State string

// What can be said of a thing.
const (
	OK        State = "ok"
	Warning   State = "warning"     // it works, and somebody should know
	Problem   State = "problem"     // it does not work, or is not safe
	Unchecked State = "not checked" // and What says why
)

// Finding is one line of the report.
type Finding struct {
	Check string `json:"check"`
	State State  `json:"state"`
	What  string `json:"what"`
	Do    string `json:"do,omitempty"` // what mends it
}

// Sick reports whether there is a problem among the findings.
func Sick(all []Finding) bool {
	return slices.ContainsFunc(all, func(f Finding) bool { return f.State == Problem })
}

// A check looks at one thing. No finding means that the thing is none of this
// configuration's, or that what it depends on has a finding already.
type check struct {
	name string
	look func(context.Context, *Case) []Finding
}

var checks = []check{
	{"configuration", lookAtData},
	{"tor", lookAtControl},
	{"tor", lookAtVersion},
	{"tor", lookAtBootstrap},
	{"carrier", lookAtCarrier},
	{"clock", lookAtClock},
	{"tor's log", lookAtLogging},
	{"relay", lookAtRelay},
	{"address", lookAtAddress},
	{"lightning", lookAtNode},
	{"liquidity", lookAtLiquidity},
	{"invoice requests", lookAtCapacity},
	{"privacy", lookAtPrivacy},
	{"offer", lookAtOffer},
	{"tops", lookAtTops},
	{"tor's options", lookAtOptions},
	{"exit rules", lookAtExitRules},
	{"gateway", lookAtGateway},
	{"way through tor", lookThroughTor},
	{"apps", lookAtApps},
	{"controllers", lookAtProxy},
	{"books", lookAtBooks},
	{"payments", lookAtHistory},
	{"disk", lookAtDisk},
}

// checkFor bounds one check. The longest builds a circuit.
const checkFor = 40 * time.Second

// Examine makes every check, in order.
func Examine(ctx context.Context, c *Case) (all []Finding) {
	for _, k := range checks {
		if ctx.Err() != nil {
			return all
		}
		one, cancel := context.WithTimeout(ctx, checkFor)
		found := k.look(one, c)
		cancel()
		for _, f := range found {
			f.Check = k.name
			all = append(all, f)
		}
	}
	return all
}

// The makers of findings. do stands first where there is one, so that the words
// can be formatted.

func ok(format string, args ...any) []Finding {
	return []Finding{{State: OK, What: fmt.Sprintf(format, args...)}}
}

func warning(do, format string, args ...any) []Finding {
	return []Finding{{State: Warning, Do: do, What: fmt.Sprintf(format, args...)}}
}

func problem(do, format string, args ...any) []Finding {
	return []Finding{{State: Problem, Do: do, What: fmt.Sprintf(format, args...)}}
}

func unchecked(format string, args ...any) []Finding {
	return []Finding{{State: Unchecked, What: fmt.Sprintf(format, args...)}}
}
