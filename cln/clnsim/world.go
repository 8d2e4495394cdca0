package clnsim

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"golang.org/x/time/rate"
)

// Options of a [World]. The zero value is usable.
type Options struct {
	Seed          uint64        // of keys and dice; 0 draws one, so that two runs differ
	InvoiceExpiry time.Duration // of a fetched invoice; 0 is two hours, as in Core Lightning
	// Tap sees every call to a node and its answer as it goes over the wire, also one that is then lost. It is called
	// from many goroutines. It may be nil.
	Tap func(node, method string, params, answer []byte)
	// PluginStderr takes what plugins write on their standard error. It may be nil.
	PluginStderr io.Writer
}

// NodeOptions of one node. The zero value has ample liquidity both ways, both pay and xpay, and keeps its address to
// itself as a payer of relays should.
type NodeOptions struct {
	OutMsat int64    // what it can send at first; 0 is 10⁹ sat
	InMsat  int64    // what it can receive at first; 0 is 10⁹ sat
	Hide    []string // commands that it does not have, such as "xpay"
	Hidden  bool     // nobody can connect to it, so its offers hold blinded paths, other ones each time
	Exposed bool     // fetchinvoice may connect straight to the payee: neither fetchinvoice-noconnect nor always-use-proxy
	Faults  Faults
}

const defaultLiquidityMsat = 1_000_000_000_000

// A World is some nodes and the play money that they share. Its methods may be called at the same time.
type World struct {
	opts   Options
	ctx    context.Context // ends with Close; payments run in it, not in their caller's
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu         sync.Mutex // protects what follows, the nodes included
	dice       *rand.Rand
	nodes      map[string]*node
	byID       map[string]*node  // by public key, hex
	names      map[string]string // offers by BIP 353 name
	payments   []*Payment
	routerMsat int64 // what forwarding nodes earned
	minted     int64 // all there ever was
}

// node is one lightningd. All but what is set at the start is protected by the world's mutex.
type node struct {
	w        *World
	name     string
	key      *btcec.PrivateKey
	id       string // public key, hex
	hide     []string
	hidden   bool
	exposed  bool
	endpoint *endpoint // nil until it is started
	plugins  pluginHost

	faults   Faults
	hubs     int  // peers that the channel was with before the one of now
	offline  bool // cut off from the network, not from its callers
	outMsat  int64
	inMsat   int64
	heldMsat int64 // of outMsat, in HTLCs under way
	offers   offerBook
	invoices invoiceBook
	pays     payBook
	onion    map[*node]*rate.Limiter // messages let in, by peer
	kept     *backup                 // nil before the first snapshot
}

// NewWorld returns a world without nodes. Close it.
func NewWorld(opts Options) *World {
	if opts.Seed == 0 {
		opts.Seed = rand.Uint64()
	}
	if opts.InvoiceExpiry == 0 {
		opts.InvoiceExpiry = 2 * time.Hour
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &World{
		opts: opts, ctx: ctx, cancel: cancel,
		dice:  rand.New(rand.NewPCG(opts.Seed, 1)),
		nodes: map[string]*node{}, names: map[string]string{}, byID: map[string]*node{},
	}
}

// Close stops every node and waits for all that runs. Payments under way stay pending.
func (w *World) Close() {
	w.mu.Lock()
	nodes := slices.Collect(maps.Values(w.nodes))
	w.mu.Unlock()
	for _, n := range nodes {
		n.plugins.shutDown() // while the node still answers them
	}
	w.cancel()
	for _, n := range nodes {
		if e := n.socket(); e != nil {
			e.close()
		}
	}
	w.wg.Wait()
}

// AddNode adds a node under a name of at most 20 characters.
func (w *World) AddNode(name string, opts NodeOptions) error {
	if name == "" || len(name) > 20 {
		return fmt.Errorf("node name %q: want 1 to 20 characters", name)
	}
	if opts.OutMsat == 0 {
		opts.OutMsat = defaultLiquidityMsat
	}
	if opts.InMsat == 0 {
		opts.InMsat = defaultLiquidityMsat
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.nodes[name] != nil {
		return fmt.Errorf("node %q exists", name)
	}
	key := w.deriveKey("node", name)
	n := &node{
		w: w, name: name, key: key, id: hex.EncodeToString(key.PubKey().SerializeCompressed()),
		hide: opts.Hide, hidden: opts.Hidden, exposed: opts.Exposed, faults: opts.Faults, outMsat: opts.OutMsat, inMsat: opts.InMsat,
		offers: newOfferBook(), invoices: newInvoiceBook(), pays: newPayBook(), onion: map[*node]*rate.Limiter{},
	}
	w.nodes[name], w.byID[n.id] = n, n
	w.minted += opts.OutMsat
	return nil
}

// Nodes lists the names.
func (w *World) Nodes() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	names := make([]string, 0, len(w.nodes))
	for name := range w.nodes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// NodeID is a node's public key in hex.
func (w *World) NodeID(name string) (string, error) {
	n, err := w.node(name)
	if err != nil {
		return "", err
	}
	return n.id, nil
}

// Faults returns how a node misbehaves.
func (w *World) Faults(name string) (Faults, error) {
	n, err := w.node(name)
	if err != nil {
		return Faults{}, err
	}
	return n.currentFaults(), nil
}

// SetFaults makes a node misbehave.
func (w *World) SetFaults(name string, f Faults) error {
	n, err := w.node(name)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	n.faults = f
	return nil
}

// SetOffline cuts a node off from the network, or joins it again. Its own callers still reach it.
func (w *World) SetOffline(name string, offline bool) error {
	n, err := w.node(name)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	n.offline = offline
	return nil
}

// ChangePeer gives a node's channel another peer: the paths in a hidden node's offers lead nowhere then.
func (w *World) ChangePeer(name string) error {
	n, err := w.node(name)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	n.hubs++
	return nil
}

// SetName lets every node find an offer under a BIP 353 name, user@domain; an empty offer takes the name away.
func (w *World) SetName(name, offer string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.names[name] = offer
}

func (w *World) node(name string) (*node, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.nodes[name]
	if n == nil {
		return nil, fmt.Errorf("no node %q", name)
	}
	return n, nil
}

// socket is where the node listens; nil until it does.
func (n *node) socket() *endpoint {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	return n.endpoint
}

func (n *node) currentFaults() Faults {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	return n.faults
}

// chance throws the dice.
func (w *World) chance(rate float64) bool {
	if rate <= 0 {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dice.Float64() < rate
}

// sleep waits, unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// derive gives 32 bytes that depend on the world's seed and the words alone.
func (w *World) derive(words ...string) []byte {
	h := sha256.New()
	_ = binary.Write(h, binary.BigEndian, w.opts.Seed) // a hash takes everything
	for _, s := range words {
		fmt.Fprintf(h, "%d %s,", len(s), s)
	}
	return h.Sum(nil)
}

func (w *World) deriveKey(words ...string) *btcec.PrivateKey {
	key, _ := btcec.PrivKeyFromBytes(w.derive(words...))
	return key
}
