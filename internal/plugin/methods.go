package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elementsproject/glightning/glightning"
	"github.com/elementsproject/glightning/jrpc2"
)

// answerWithin is how long a method may take.
const answerWithin = 60 * time.Second

// method is what all methods have in common. glightning makes a copy of the
// registered one for each call (New), and fills its exported fields.
type method struct {
	name string
	do   func(p params) (any, error)
}

func (m method) Name() string { return m.name }

// params are a method's parameters, by name, as JSON.
type params map[string]json.RawMessage

// The shapes of parameters. Fields are raw, because glightning prints what does
// not fit; a field's name in lower case is the parameter's, the tag its usage.
type (
	noParams struct{ method }

	handleParam struct {
		Handle json.RawMessage `json:"handle"`
		method
	}
	relayParam struct {
		Relay json.RawMessage `json:"relay,omitempty"`
		method
	}
	limitParam struct {
		Limit json.RawMessage `json:"limit,omitempty"`
		method
	}
	pathParam struct {
		Path json.RawMessage `json:"path,omitempty"`
		method
	}
	initParams struct {
		Options       json.RawMessage `json:"options"`
		Configuration json.RawMessage `json:"configuration"`
		method
	}
)

func (m *noParams) New() any    { return &noParams{m.method} }
func (m *handleParam) New() any { return &handleParam{method: m.method} }
func (m *relayParam) New() any  { return &relayParam{method: m.method} }
func (m *limitParam) New() any  { return &limitParam{method: m.method} }
func (m *pathParam) New() any   { return &pathParam{method: m.method} }
func (m *initParams) New() any  { return &initParams{method: m.method} }

func (m *noParams) Call() (jrpc2.Result, error)    { return m.do(nil) }
func (m *handleParam) Call() (jrpc2.Result, error) { return m.do(params{"handle": m.Handle}) }
func (m *relayParam) Call() (jrpc2.Result, error)  { return m.do(params{"relay": m.Relay}) }
func (m *limitParam) Call() (jrpc2.Result, error)  { return m.do(params{"limit": m.Limit}) }
func (m *pathParam) Call() (jrpc2.Result, error)   { return m.do(params{"path": m.Path}) }
func (m *initParams) Call() (jrpc2.Result, error) {
	return m.do(params{"options": m.Options, "configuration": m.Configuration})
}

// text is a parameter that is a word; empty if it was not given. lightning-cli
// sends what looks like a number as one.
func (p params) text(name string) (string, error) {
	raw := p[name]
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	if raw[0] != '"' {
		if strings.ContainsAny(string(raw[:1]), "[{") {
			return "", fmt.Errorf("%s is one word", name)
		}
		return string(raw), nil
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err
}

// list is a parameter that is an array, or words separated by commas.
func (p params) list(name string) (list []string, err error) {
	if raw := p[name]; len(raw) > 0 && raw[0] == '[' {
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, fmt.Errorf("%s is a list of words", name)
		}
		return list, nil
	}
	s, err := p.text(name)
	if err != nil || s == "" {
		return nil, err
	}
	return strings.Split(s, ","), nil
}

// command is a method of ours for lightning-cli.
func (s *server) command(name string, do func(ctx context.Context, t Tops, p params) (any, error)) method {
	return method{name, func(p params) (any, error) {
		t, err := s.running()
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(s.ctx, answerWithin)
		defer cancel()
		return do(ctx, t, p)
	}}
}

// commands are the methods that the manifest lists.
func (s *server) commands() []*glightning.RpcMethod {
	handle := func(do func(Tops, context.Context, string) (any, error)) func(context.Context, Tops, params) (any, error) {
		return func(ctx context.Context, t Tops, p params) (any, error) {
			h, err := p.text("handle")
			if err != nil || h == "" {
				return nil, fmt.Errorf("handle is the 16 hex digits that tops-paystreams shows")
			}
			return do(t, ctx, h)
		}
	}
	return []*glightning.RpcMethod{
		describe(&noParams{s.command("tops-status", func(ctx context.Context, t Tops, _ params) (any, error) { return t.Status(ctx) })},
			"What tops is doing: roles, money, budgets, pay streams, the node's health."),
		describe(&relayParam{method: s.command("tops-terms", func(ctx context.Context, t Tops, p params) (any, error) {
			relay, err := p.text("relay")
			if err != nil {
				return nil, err
			}
			return t.Terms(ctx, relay)
		})}, "What this relay asks, or with a fingerprint, another one."),
		describe(&noParams{s.command("tops-relays", func(ctx context.Context, t Tops, _ params) (any, error) { return t.Relays(ctx) })},
			"The relays that ask to be paid, and what."),
		describe(&noParams{s.command("tops-paystreams", func(ctx context.Context, t Tops, _ params) (any, error) { return t.PayStreams(ctx) })},
			"The pay streams that live, or ended a short while ago."),
		describe(&handleParam{method: s.command("tops-paystream", handle(Tops.PayStream))}, "The story of one pay stream, from the books."),
		describe(&limitParam{method: s.command("tops-ledger", func(ctx context.Context, t Tops, p params) (any, error) {
			text, err := p.text("limit")
			if err != nil {
				return nil, err
			}
			limit := 50
			if text != "" {
				if limit, err = strconv.Atoi(text); err != nil || limit < 1 {
					return nil, fmt.Errorf("limit %q is no number of pay streams", text)
				}
			}
			return t.Ledger(ctx, limit)
		})}, "The books: totals, and the latest pay streams."),
		describe(&pathParam{method: s.command("tops-pay", func(ctx context.Context, t Tops, p params) (any, error) {
			path, err := p.list("path")
			if err != nil {
				return nil, err
			}
			return t.Pay(ctx, path)
		})}, "Build a circuit and pay its exit. path: the relays' fingerprints, guard first; left out, tops chooses."),
		describe(&handleParam{method: s.command("tops-stop", handle(Tops.Stop))}, "End a pay stream of ours: nothing more is paid."),
	}
}

func describe(m jrpc2.ServerMethod, text string) *glightning.RpcMethod {
	return glightning.NewRpcMethod(m, "TOPS: "+text)
}

// methods are all that lightningd may call: the commands, and what it calls by
// itself.
func (s *server) methods() []*glightning.RpcMethod {
	commands := s.commands()
	internal := []jrpc2.ServerMethod{
		&noParams{method{"getmanifest", func(params) (any, error) {
			return glightning.Manifest{
				Options: manifestOptions(), RpcMethods: commands, Dynamic: true,
				Subscriptions: []string{"invoice_payment", "shutdown"},
			}, nil
		}}},
		&initParams{method: method{"init", func(p params) (any, error) {
			if err := s.start(p["options"], p["configuration"]); err != nil {
				return map[string]string{"disable": "tops: " + err.Error()}, nil
			}
			return struct{}{}, nil
		}}},
		&noParams{method{"invoice_payment", func(params) (any, error) { s.look(); return nil, nil }}},
		&noParams{method{"shutdown", func(params) (any, error) { s.end(); return nil, nil }}},
	}
	all := slices.Clone(commands) // the manifest lists the commands alone
	for _, m := range internal {
		all = append(all, glightning.NewRpcMethod(m, ""))
	}
	return all
}
