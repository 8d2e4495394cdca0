package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/controlspec"
)

// paymentOptions has a controller of the relay change its terms in El Tor's words,
// in one command with tor's own.
func (w *world) paymentOptions(t *testing.T) {
	w.steady(t)
	relay := controllerAt(t, w.relayControlSocket())
	t.Cleanup(func() { w.restartRelay(t, nil) }) // what was set is forgotten then
	running := w.terms(t)
	for _, test := range []struct{ line, want string }{
		{"GETCONF PaymentRateMsats Nickname paymentinvervalrounds", "250 PaymentRateMsats=1000\nNickname=" + w.exit.Name + "\nPaymentInvervalRounds=10"},
		{"GETCONF PaymentBolt12Offer PaymentBip353", "250 PaymentBolt12Offer=" + running.Descriptor.Value + "\nPaymentBip353"},
		{"GETCONF PaymentLightningNodeConfig", "250 PaymentLightningNodeConfig"},
		{"GETCONF PaymentIntervalRounds", `552 Unrecognized configuration key "PaymentIntervalRounds"`},
		{"SETCONF PaymentRateMsats=2000 HeartbeatPeriod=never", "513 "}, // tor's refusal
		{"SETCONF HeartbeatPeriod=3600 PaymentRateMsats=0", "513 Unacceptable option value: topsratemsat:0"},
		{"SETCONF HeartbeatPeriod=3600 PaymentBip353=me@example.com", "553 PaymentBip353 cannot be set while tops runs"},
		{`SETCONF PaymentLightningNodeConfig="type=cln,rune=secret"`, "553 PaymentLightningNodeConfig cannot be set"},
		{"GETCONF HeartbeatPeriod PaymentRateMsats", "250 HeartbeatPeriod=21600\nPaymentRateMsats=1000"}, // all or none
		{"SETCONF PaymentRateMsats=2000 HeartbeatPeriod=3600", "250 OK"},
		{"GETCONF HeartbeatPeriod PaymentRateMsats", "250 HeartbeatPeriod=3600\nPaymentRateMsats=2000"},
		{"RESETCONF HeartbeatPeriod", "250 OK"},
	} {
		if got := relay.ask(t, test.line); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s:\n%s, want\n%s", test.line, got, test.want)
		}
	}

	// What is published follows, and who comes from then on pays by it.
	if got := relay.ask(t, "GETCONF ContactInfo"); !strings.Contains(got, " topsratemsat:2000") {
		t.Errorf("published: %s", got)
	}
	if got := w.terms(t); got.RateMsat != 2000 || got.FinalMsat != 4000 || got.Descriptor == running.Descriptor {
		t.Errorf("the gateway offers %v", got)
	}
	c := w.controller(t)
	circ := c.extend(t, w.path)
	paid := c.wait(t, "a payment", 20*time.Second+3*interval, on(circ, controlspec.StatusPaid))
	if paid.PaidMsat != 2000 {
		t.Errorf("round 2 cost %d msat, want the new rate of 2000", paid.PaidMsat)
	}

	// Terms of twelve rounds are no use to who brings ten ids.
	relay.ok(t, "SETCONF PaymentInvervalRounds=12 PaymentRateMsats")
	until(t, "the client to have the new terms", 40*time.Second, func() bool {
		return strings.Contains(c.ask(t, "GETINFO tops/terms/"+w.exit.Fingerprint), "topsrounds:12")
	})
	command := "+EXTENDPAIDCIRCUIT 0\r\n"
	for _, fp := range w.path {
		command += w.bring().line(fp)
	}
	if got, want := w.block(t, command), "551 REASON=TERMS relay "+w.exit.Fingerprint+" asks for pay streams of 12 rounds, and the controller brought 10 round ids"; got != want {
		t.Errorf("+EXTENDPAIDCIRCUIT: %q, want %q", got, want)
	}
	if got := w.terms(t); got.RateMsat != 1000 || got.Rounds != 12 {
		t.Errorf("the gateway offers %v", got)
	}
}
