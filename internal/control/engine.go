package control

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/internal/bus"
	"github.com/el-tor/tops/internal/client"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
	"github.com/el-tor/tops/proxy"
)

// Engine is what the proxy asks. A role that is not played is nil.
type Engine struct {
	Version string
	Client  *client.Client
	Payee   *paystream.Payee
	Relay   policies.Terms // the relay's own, if Payee is set
	Books   *ledger.Ledger
	Events  *bus.Bus[paystream.Event] // of both roles
	Wallet  func(context.Context) (cln.Health, error)

	// Native builds a circuit on El Tor's tor, whose hops carry what is given, and
	// returns its id; nil on a stock tor.
	Native func(ctx context.Context, hops []eltor.Hop) (circID string, err error)
}

var errNoClient error = controlspec.Errorf(551, "This tops pays nobody: its configuration has no [client] table")

// ExtendPaidCircuit builds and pays a circuit on the account of the controller.
func (e *Engine) ExtendPaidCircuit(ctx context.Context, c proxy.Controller, path []string) (string, error) {
	if e.Client == nil {
		return "", errNoClient
	}
	id, err := e.Client.ExtendPaidCircuit(ctx, c.Account(), path)
	if err != nil {
		return "", refusal(err)
	}
	return id, nil
}

// refusal is the 551 of tops-control-spec §3.1: with the reason that a PAYSTREAM
// event would give, or in tor's own words.
func refusal(err error) *controlspec.ReplyError {
	var said *controlspec.ReplyError
	var no *paystream.Refusal
	switch {
	case errors.As(err, &no) && no.Err != nil:
		return controlspec.Errorf(551, "REASON=%s %s", no.Reason, oneLine(no.Err))
	case errors.As(err, &said):
		return controlspec.Errorf(551, "%s", said.Text)
	default:
		return controlspec.Errorf(551, "%s", oneLine(err))
	}
}

// unknown is the error of a GETINFO: 552 for what there is not, 551 for what
// cannot be said now (§3.4).
func unknown(err error) *controlspec.ReplyError {
	no := refusal(err)
	for _, e := range []error{policies.ErrNoTerms, tor.ErrNoDescriptor, tor.ErrNoRelay} {
		if errors.Is(err, e) {
			no.Code = 552
		}
	}
	return no
}

func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// Subscribe has f called with every PAYSTREAM event.
func (e *Engine) Subscribe(f func(controlspec.PayStreamEvent)) (cancel func()) {
	return e.Events.Subscribe(func(ev paystream.Event, _ int) { f(Event(ev)) })
}

// SubscribeReceived has f called for each intent that this relay accepts.
func (e *Engine) SubscribeReceived(f func(controlspec.ReceivedEvent)) (cancel func()) {
	return e.Events.Subscribe(func(ev paystream.Event, _ int) {
		if ev.Status == paystream.StatusIntent && ev.Circuit == "" {
			f(controlspec.ReceivedEvent{Handle: string(ev.Handle), Rounds: ev.Rounds})
		}
	})
}

// Event is a change of a pay stream as a controller hears it.
func Event(e paystream.Event) controlspec.PayStreamEvent {
	return controlspec.PayStreamEvent{
		Handle: string(e.Handle), Status: controlspec.PayStreamStatus(e.Status), CircID: e.Circuit, Hop: e.Hop,
		Relay: e.Relay, Round: e.Round, Rounds: e.Rounds, DueMsat: e.DueMsat, PaidMsat: e.PaidMsat,
		FeeMsat: e.FeeMsat, Reason: string(e.Reason),
	}
}

// Info answers GETINFO tops/….
func (e *Engine) Info(ctx context.Context, key string) (value string, ok bool, err error) {
	what, arg, _ := strings.Cut(key, "/")
	switch what {
	case "version":
		return e.Version, true, nil
	case "paystreams":
		return e.lines(func(controlspec.PayStreamEvent) bool { return true }), true, nil
	case "paystream":
		line := e.lines(func(ev controlspec.PayStreamEvent) bool { return ev.Handle == arg })
		if line == "" {
			return "", true, controlspec.Errorf(552, "No pay stream %q", arg)
		}
		return line, true, nil
	case "circuit":
		lines := e.lines(func(ev controlspec.PayStreamEvent) bool { return ev.CircID == arg })
		if lines == "" {
			return "", true, controlspec.Errorf(552, "No circuit %q with a pay stream", arg)
		}
		return lines, true, nil
	case "spent", "earned":
		t, err := e.Books.Totals(ctx)
		if err != nil {
			return "", true, err
		}
		if what == "spent" {
			return fmt.Sprint(t.SpentMsat), true, nil
		}
		return fmt.Sprint(t.EarnedMsat), true, nil
	case "terms":
		return e.terms(ctx, arg)
	case "relays":
		value, err := e.relays(ctx)
		return value, true, err
	case "wallet":
		value, err := e.wallet(ctx)
		return value, true, err
	default:
		return "", false, nil
	}
}

func (e *Engine) terms(ctx context.Context, arg string) (string, bool, error) {
	fingerprint := strings.ToUpper(strings.TrimPrefix(arg, "$"))
	if len(fingerprint) != 40 || strings.Trim(fingerprint, "0123456789ABCDEF") != "" {
		return "", true, controlspec.Errorf(552, "%q is not a relay's fingerprint", arg)
	}
	if e.Payee != nil && fingerprint == e.Relay.Relay {
		return e.Payee.Terms().String(), true, nil
	}
	if e.Client == nil {
		return "", true, controlspec.Errorf(551, "This tops reads no terms: its configuration has no [client] table")
	}
	t, err := e.Client.RelayTerms(ctx, fingerprint)
	if err != nil {
		return "", true, unknown(err)
	}
	return t.String(), true, nil
}

// lines lists pay streams in the words of a PAYSTREAM event, a line each.
func (e *Engine) lines(want func(controlspec.PayStreamEvent) bool) string {
	var out []string
	add := func(ev controlspec.PayStreamEvent) {
		if want(ev) {
			out = append(out, strings.TrimPrefix(ev.Marshal(), controlspec.EventPayStream+" "))
		}
	}
	if e.Client != nil {
		for _, s := range e.Client.PayStreams() {
			add(controlspec.PayStreamEvent{
				Handle: string(s.Handle), Status: controlspec.PayStreamStatus(s.Status), CircID: s.Circuit, Hop: s.Hop,
				Relay: s.Relay, Round: s.Round, Rounds: s.Rounds, DueMsat: s.DueMsat, PaidMsat: s.PaidMsat,
				FeeMsat: s.RoutingMsat, Reason: string(s.Reason),
			})
		}
	}
	if e.Payee != nil {
		for h, s := range e.Payee.PayStreams() {
			add(controlspec.PayStreamEvent{
				Handle: string(h), Status: controlspec.PayStreamStatus(s.Status), Relay: e.Relay.Relay, Round: s.Round,
				Rounds: s.Rounds, DueMsat: s.DueMsat, PaidMsat: s.BalanceMsat, FeeMsat: s.FeeMsat, Reason: string(s.Reason),
			})
		}
	}
	return strings.Join(out, "\n")
}
