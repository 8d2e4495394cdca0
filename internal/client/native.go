package client

import (
	"context"
	"sync"
	"time"

	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// native is the payer's side of the carrier on El Tor's tor: every hop of a circuit
// is paid, and the relays hear of it in the handshake (package eltor). Streams need
// no gateway, so that tor attaches them by itself: what the pool, the flows and the
// tunnels do on a stock tor is tor's own affair here.
//
// A circuit brings its ids when it is made, and so lives as long as the shortest of
// its pay streams.
type native struct {
	c       *Client
	fork    eltor.Fork
	builder *eltor.Builder
	wanted  chan struct{} // an app waits for a circuit

	mu       sync.Mutex // guards what follows
	circuits map[string]*nativeCircuit
	byPay    map[paystream.Handle]*nativeCircuit
	guard    string               // that was drawn, since tor has none
	shunned  map[string]time.Time // relays that asked for nothing when a relay ended a circuit through them, and until when
}

func newNative(c *Client, fork eltor.Fork) *native {
	return &native{
		c: c, fork: fork, wanted: make(chan struct{}, 1),
		circuits: make(map[string]*nativeCircuit), byPay: make(map[paystream.Handle]*nativeCircuit),
		shunned: make(map[string]time.Time),
	}
}

// nativeCircuit is a paid circuit.
type nativeCircuit struct {
	n          *native
	path       []string
	hops       []*nativeHop // those that are paid
	controller string       // empty: it is for apps
	start      time.Time    // when tor was asked for it
	changed    chan struct{}
	tc         *tor.Circuit
	open       chan struct{} // closed when its pay streams are open, or will not be

	mu   sync.Mutex // guards what follows
	left bool
	err  error
}

// nativeHop is a relay of it that asks for money.
type nativeHop struct {
	at      int // 1 is the guard
	terms   policies.Terms
	payload eltor.Payload
	handle  paystream.Handle
	link    *eltor.Link
}

// enter makes a circuit known.
func (n *native) enter(p *nativeCircuit) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.circuits[p.tc.ID] = p
	for _, h := range p.hops {
		n.byPay[h.handle] = p
	}
}

func (n *native) get(id string) *nativeCircuit {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.circuits[id]
}

func (n *native) list() (all []*nativeCircuit) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.circuits {
		all = append(all, p)
	}
	return all
}

// hear is told of each event of the engine's. It returns at once.
func (n *native) hear(e paystream.Event) {
	n.mu.Lock()
	p := n.byPay[e.Handle]
	n.mu.Unlock()
	if p == nil {
		return
	}
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// BuildNative gives tor a circuit whose hops carry what is given, and returns its
// id. Nobody is paid for it.
func (c *Client) BuildNative(ctx context.Context, hops []eltor.Hop) (id string, err error) {
	tc, err := c.native.builder.Build(ctx, hops, nil)
	if err != nil {
		return "", err
	}
	return tc.ID, nil
}

// Native reports whether this client's tor is El Tor's.
func (c *Client) Native() bool { return c.native != nil }
