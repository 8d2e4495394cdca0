package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/policies"
)

// information plays one honest pay stream and asks about it in every way that
// tops-control-spec §3.4 knows.
func (w *world) information(t *testing.T) {
	w.steady(t)
	c := w.controller(t)
	if got := c.info(t, "tops/version"); got != version {
		t.Errorf("tops/version = %q, want %q", got, version)
	}
	if got := c.info(t, "tops/paystreams"); got != "" {
		t.Errorf("tops/paystreams before any: %q", got)
	}
	spent := c.info(t, "tops/spent")
	if spent != "0" {
		t.Errorf("tops/spent before any: %q", spent)
	}
	for _, test := range []struct{ line, want string }{
		{"SETEVENTS PAYSTREAM NONSENSE", `552 Unrecognized event "NONSENSE"`},
		{"GETINFO tops/nonsense", `552 Unrecognized key "tops/nonsense"`},
		{"GETINFO tops/version nonsense", `552 Unrecognized key "nonsense"`},
		{"GETINFO tops/paystream/0011223344556", `552 No pay stream "0011223344556"`},
		{"GETINFO tops/terms/nonsense", `552 "nonsense" is not a relay's fingerprint`},
		{"GETINFO tops/terms/" + unknownRelay, "552 REASON=TERMS relay " + unknownRelay + ": not in the consensus"},
		{"GETINFO tops/circuit/99999", `552 No circuit "99999" with a pay stream`},
		{"GETINFO tops/version version", "250 tops/version=" + version},
		{"SETEVENTS paystream Circ", "250 OK"},
		{"SETEVENTS PAYSTREAM", "250 OK"},
	} {
		if got := c.ask(t, test.line); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %q, want %q", test.line, got, test.want)
		}
	}

	circ := c.extend(t, w.path)
	first := c.wait(t, "an event of the circuit", 20*time.Second, func(e controlspec.PayStreamEvent) bool { return e.CircID == circ })
	c.wait(t, "the relay to accept the intent", 20*time.Second, on(circ, controlspec.StatusFree))
	paid := c.wait(t, "a payment", 3*interval+5*time.Second, on(circ, controlspec.StatusPaid))
	if paid.Handle != first.Handle || paid.Hop != 3 || paid.Relay != w.exit.Fingerprint || paid.Rounds != rounds ||
		paid.PaidMsat != 1000 || paid.DueMsat != 1000 && paid.DueMsat != 0 || paid.Reason != "" {
		t.Errorf("event %+v", paid)
	}
	line := c.info(t, "tops/paystream/"+paid.Handle)
	e, err := controlspec.ParsePayStream("PAYSTREAM " + line)
	if err != nil || e.Handle != paid.Handle || e.CircID != circ || e.PaidMsat < 1000 {
		t.Errorf("tops/paystream = %q, %v", line, err)
	}
	for _, key := range []string{"tops/paystreams", "tops/circuit/" + circ} {
		if got := c.info(t, key); !strings.HasPrefix(got, paid.Handle+" ") || strings.Contains(got, "\n") {
			t.Errorf("%s = %q, want the line of %s", key, got, paid.Handle)
		}
	}
	if got := c.info(t, "tops/spent"); got != fmt.Sprint(e.PaidMsat) {
		t.Errorf("tops/spent = %s, want %d", got, e.PaidMsat)
	}
	if got := c.info(t, "tops/earned"); got != "0" {
		t.Errorf("tops/earned of a client = %s", got)
	}
	until(t, "the descriptor with the terms", 40*time.Second, func() bool {
		return strings.HasPrefix(c.ask(t, "GETINFO tops/terms/"+w.exit.Fingerprint), "250 ")
	})
	for _, fp := range []string{w.exit.Fingerprint, "$" + strings.ToLower(w.exit.Fingerprint)} {
		terms, err := policies.ParseTerms(c.info(t, "tops/terms/"+fp))
		if err != nil || terms != w.terms(t) {
			t.Errorf("tops/terms/%s: %v, %v", fp, terms, err)
		}
	}
	c.ok(t, "CLOSECIRCUIT "+circ)
	// By now it may be another pay stream, which continues the first.
	closed := c.wait(t, "the pay stream's end", 10*time.Second, func(e controlspec.PayStreamEvent) bool {
		return e.CircID == circ && e.Status == controlspec.StatusClosed
	})
	if closed.Reason != "CIRCUIT" {
		t.Errorf("closed with REASON=%s, want CIRCUIT", closed.Reason)
	}
	// Who does not subscribe hears nothing.
	c.ok(t, "SETEVENTS")
}
