package proxy_test

import (
	"context"
	"strings"
	"sync"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/proxy"
)

// engine is a proxy.Engine in memory.
type engine struct {
	mu       sync.Mutex
	extended [][]string                                      // guarded by mu
	hops     []controlspec.PaidHop                           // guarded by mu
	subs     map[int]func(controlspec.PayStreamEvent)        // guarded by mu
	received map[int]func(controlspec.ReceivedEvent)         // guarded by mu
	next     int                                             // guarded by mu
	conf     map[string]string                               // guarded by mu
	extend   func(context.Context, []string) (string, error) // nil: "7"

	beginning, ending func(f func(controlspec.PayStreamEvent)) // of a subscription; nil: nothing
}

func newEngine() *engine {
	return &engine{
		subs:     make(map[int]func(controlspec.PayStreamEvent)),
		received: make(map[int]func(controlspec.ReceivedEvent)),
		conf:     map[string]string{"PaymentRateMsats": "1000", "PaymentBip353": ""},
	}
}

func (e *engine) ExtendPaidCircuit(ctx context.Context, _ proxy.Controller, path []string) (string, error) {
	e.mu.Lock()
	e.extended = append(e.extended, path)
	e.mu.Unlock()
	if e.extend != nil {
		return e.extend(ctx, path)
	}
	return "7", nil
}

func (e *engine) ExtendSelfPaidCircuit(_ context.Context, _ proxy.Controller, hops []controlspec.PaidHop) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hops = hops
	return "8", nil
}

func (e *engine) calls() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.extended)
}

func (e *engine) Info(_ context.Context, key string) (string, bool, error) {
	switch key {
	case "version":
		return "0.1", true, nil
	case "paystreams":
		return "one\n.two\n", true, nil
	case "broken":
		return "", false, context.DeadlineExceeded
	case "refused":
		return "", false, controlspec.Errorf(552, "No such pay stream")
	}
	return "", false, nil
}

func (e *engine) Subscribe(f func(controlspec.PayStreamEvent)) func() {
	if e.beginning != nil {
		e.beginning(f)
	}
	cancel := add(e, e.subs, f)
	return func() {
		cancel()
		if e.ending != nil {
			e.ending(f)
		}
	}
}

func (e *engine) SubscribeReceived(f func(controlspec.ReceivedEvent)) func() {
	return add(e, e.received, f)
}

func add[F any](e *engine, to map[int]F, f F) func() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.next++
	id := e.next
	to[id] = f
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(to, id)
	}
}

// emit calls every subscriber and returns how many there were.
func (e *engine) emit(ev controlspec.PayStreamEvent) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.subs {
		f(ev)
	}
	return len(e.subs)
}

func (e *engine) Get(_ context.Context, key string) (string, []string, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for k, v := range e.conf {
		if strings.EqualFold(k, key) {
			if v == "" {
				return k, nil, true
			}
			return k, []string{v}, true
		}
	}
	return "", nil, false
}

func (e *engine) Prepare(ctx context.Context, _ proxy.Controller, changes []controlspec.ConfChange) (func() error, error) {
	for i, c := range changes {
		name, _, ok := e.Get(ctx, c.Key)
		if !ok {
			return nil, controlspec.Errorf(552, "Unrecognized option: Unknown option '%s'.  Failing.", c.Key)
		}
		changes[i].Key = name
	}
	return func() error {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, c := range changes {
			e.conf[c.Key] = c.Value
		}
		return nil
	}, nil
}

func (e *engine) CircuitTerms(circID string) []proxy.HopTerms {
	if circID != "7" {
		return nil
	}
	return []proxy.HopTerms{{Hop: 2, Terms: "tops:1 a"}, {Hop: 3, Terms: "tops:1 b"}}
}

func (e *engine) CheckAttach(_, circID string, hop int) error {
	if circID == "7" && hop != 2 {
		return controlspec.Errorf(551, "The exit of paid circuit 7 takes streams to its gateway only: use the tops SOCKS port, user name circ=7")
	}
	return nil
}

func (e *engine) Upgrade(_ context.Context, _ proxy.Controller, path []string, purpose string) (string, bool, error) {
	return "9", len(path) == 2 && purpose == "", nil
}

var event = controlspec.PayStreamEvent{
	Handle: "ebf064b1c7877810", Status: controlspec.StatusPaid, CircID: "7", Hop: 3, Relay: strings.Repeat("A", 40),
	Round: 4, Rounds: 10, DueMsat: 1000, PaidMsat: 2000,
}

const eventLine = "650 PAYSTREAM ebf064b1c7877810 PAID CIRC=7 HOP=3 RELAY=$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA ROUND=4/10 DUE_MSAT=1000 PAID_MSAT=2000 FEE_MSAT=0\r\n"
