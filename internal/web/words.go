package web

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/figures"
	"github.com/el-tor/tops/paystream"
)

// words are how figures are written.
var words = template.FuncMap{
	"sat": sat, "bytes": bytesOf, "pace": pace, "ago": ago, "count": count,
	"every": every, "payments": func(b figures.Bar) string { return plural(b.Payments, "payment", "payments") },
	"tunnels": func(n int64) string { return plural(n, "tunnel", "tunnels") }, "connections": func(n int) string { return plural(n, "connection", "connections") },
}

// sat is an amount in sat, to the msat, digits in groups of three.
func sat(msat int64) string {
	sign := ""
	if msat < 0 {
		sign, msat = "−", -msat
	}
	text := sign + count(msat/1000)
	if rest := msat % 1000; rest != 0 {
		text += "." + strings.TrimRight(fmt.Sprintf("%03d", rest), "0")
	}
	return text
}

// count writes a number with a narrow space between groups of three digits.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// bytesOf writes a number of bytes, in powers of ten as networks count.
func bytesOf(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/1000, 0
	for v >= 999.5 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	digits := 1
	if v >= 99.95 {
		digits = 0
	}
	return fmt.Sprintf("%.*f %cB", digits, v, units[i])
}

func pace(bytesPerSecond int64) string { return bytesOf(bytesPerSecond) + "/s" }

// ago writes a time span roughly, as people say it.
func ago(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// every writes an interval that something is paid for, exactly.
func every(d time.Duration) string {
	switch {
	case d == time.Minute:
		return "a minute"
	case d == time.Hour:
		return "an hour"
	case d%time.Minute == 0:
		return fmt.Sprintf("each %d min", d/time.Minute)
	case d%time.Second == 0:
		return fmt.Sprintf("each %d s", d/time.Second)
	}
	return "each " + d.String()
}

// plural is a number of things.
func plural[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(int64(n)) + " " + many
}

// short is the beginning of a fingerprint.
func short(fingerprint string) string { return fingerprint[:min(8, len(fingerprint))] }

// statusWords are the states of a pay stream for people, with the class of their
// colour.
var statusWords = map[paystream.Status]state{
	paystream.StatusTerms:     {"reading terms", "wait"},
	paystream.StatusIntent:    {"beginning", "wait"},
	paystream.StatusFree:      {"free round", "wait"},
	paystream.StatusDue:       {"payment due", "due"},
	paystream.StatusPaying:    {"paying", "due"},
	paystream.StatusPaid:      {"paid", "good"},
	paystream.StatusHeld:      {"payment held", "due"},
	paystream.StatusLate:      {"late", "bad"},
	paystream.StatusRefused:   {"refused", "bad"},
	paystream.StatusCompleted: {"completed", "good"},
	paystream.StatusClosed:    {"closed", "wait"},
}

var refusalWords = map[gateway.Refusal]string{
	gateway.RefusedUnpaid:   "Payment was asked for",
	gateway.RefusedOver:     "Pay stream had ended",
	gateway.RefusedUnknown:  "Unknown pay stream",
	gateway.RefusedTerms:    "Terms had changed",
	gateway.RefusedRate:     "Too many at once",
	gateway.RefusedBusy:     "Relay could not serve then",
	gateway.RefusedPolicy:   "Exit policy",
	gateway.RefusedTarget:   "Target did not answer",
	gateway.RefusedConflict: "Hash or id already taken",
	gateway.RefusedRequest:  "Not understood",
	gateway.RefusedFailed:   "Trouble of the relay's own",
	gateway.RefusedStranger: "Connection not from this tor",
	gateway.RefusedRoom:     "Nothing was paid, and room was short",
}

var reasonWords = map[paystream.Reason]string{
	paystream.ReasonLate:      "Not paid in time",
	paystream.ReasonCompleted: "Completed, paid in full",
	paystream.ReasonClient:    "Ended by the client",
	paystream.ReasonQuality:   "Not worth its price",
	paystream.ReasonCircuit:   "Circuit lost",
	paystream.ReasonRelay:     "Ended by the relay",
	paystream.ReasonTerms:     "Terms changed or unusable",
	paystream.ReasonPolicy:    "Dearer than the policy allows",
	paystream.ReasonBudget:    "Budget used up",
	paystream.ReasonFee:       "Routing too dear",
	paystream.ReasonWallet:    "Lightning node could not pay",
	paystream.ReasonUnused:    "Opening fee paid, circuit not built",
}
