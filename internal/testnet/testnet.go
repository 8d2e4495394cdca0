package testnet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// DefaultRelays is how many relays a network has beside its authority when
// nobody says.
const DefaultRelays = 3

// startTimeout ends a start that hangs. A first vote that was missed costs ten
// seconds, and what a tor asks for too early its retries: a busy machine has been
// seen to take a minute and a half.
const startTimeout = 3 * time.Minute

// Options say what a network consists of. The zero value is one of
// DefaultRelays relays and no client.
type Options struct {
	Relays  int // beside the authority; 0: DefaultRelays
	Exits   int // how many of the relays, counted from the last, are ordinary exits
	Clients int

	// Dir is where data directories are made, anew, and left; short enough for
	// the path of a unix socket. "": a temporary directory that Close removes.
	Dir string
	// Tor is the program; "": the first tor on the PATH.
	Tor string
	// Torrc, if set, gives lines to add at the end of a node's configuration,
	// by its name: authority, relay0, client0.
	Torrc func(name string) string
	// Bootstrapped is how far, in percent, every node must be to be up; 0: 100,
	// and 75 for relays.
	Bootstrapped int
	// Progress, if set, is told how far the start is, from any goroutine.
	Progress func(line string)
}

// A Network is a running private Tor network.
type Network struct {
	Authority *Node
	Relays    []*Node
	Clients   []*Node

	dir  string
	temp bool // dir is ours to remove
}

// Start makes a network and waits until every client is bootstrapped and knows
// every relay. The context bounds the start alone. The process must have
// called [Enter]. The error of a tor that does not start holds its last words.
func Start(ctx context.Context, o Options) (_ *Network, err error) {
	if !entered() {
		return nil, errors.New("testnet: not in a network namespace of our own; call Enter first")
	}
	if o.Relays == 0 {
		o.Relays = DefaultRelays
	}
	if o.Exits > o.Relays || o.Relays > 200 || o.Clients > 200 {
		return nil, fmt.Errorf("testnet: %d relays, %d of them exits, and %d clients cannot be", o.Relays, o.Exits, o.Clients)
	}
	if o.Tor == "" {
		o.Tor = "tor"
	}
	if o.Tor, err = exec.LookPath(o.Tor); err != nil {
		return nil, fmt.Errorf("testnet: %w: install tor (on Debian: apt-get install tor)", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not ready within %v", startTimeout))
	defer cancel()

	n := &Network{dir: o.Dir}
	if n.dir == "" {
		if n.dir, err = os.MkdirTemp("", "testnet"); err != nil {
			return nil, fmt.Errorf("testnet: %w", err)
		}
		n.temp = true
	} else if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return nil, fmt.Errorf("testnet: %w", err)
	}
	if n.dir, err = filepath.Abs(n.dir); err != nil {
		return nil, fmt.Errorf("testnet: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	if err := n.configure(ctx, o); err != nil {
		return nil, err
	}
	if err := n.launch(ctx); err != nil {
		return nil, err
	}
	return n, nil
}

// configure makes the nodes' directories, keys and configuration files.
func (n *Network) configure(ctx context.Context, o Options) (err error) {
	if n.Authority, err = n.add(o, authorityRole, "authority", 0); err != nil {
		return err
	}
	for i := range o.Relays {
		kind := relay
		if i >= o.Relays-o.Exits {
			kind = exit
		}
		node, err := n.add(o, kind, fmt.Sprintf("relay%d", i), i+1)
		if err != nil {
			return err
		}
		n.Relays = append(n.Relays, node)
	}
	for i := range o.Clients {
		node, err := n.add(o, client, fmt.Sprintf("client%d", i), i)
		if err != nil {
			return err
		}
		n.Clients = append(n.Clients, node)
	}
	v3Ident, err := writeAuthorityKeys(ctx, filepath.Join(n.Authority.Dir, "keys"))
	if err != nil {
		return fmt.Errorf("testnet: %w", err)
	}
	offset := votingOffset(time.Now())
	for _, node := range n.nodes() {
		text := node.torrc(n.Authority, v3Ident, offset)
		if o.Torrc != nil {
			text += o.Torrc(node.Name)
		}
		if err := os.WriteFile(filepath.Join(node.Dir, "torrc"), []byte(text), 0o600); err != nil {
			return fmt.Errorf("testnet: %w", err)
		}
	}
	return nil
}

// add makes one node. Relays are numbered from the authority, 0; clients among
// themselves.
func (n *Network) add(o Options, kind role, name string, number int) (*Node, error) {
	dir := filepath.Join(n.dir, name)
	keys := filepath.Join(dir, "keys")
	// Old data would name another network's authority.
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("testnet: %w", err)
	}
	if err := os.Mkdir(keys, 0o700); err != nil {
		return nil, fmt.Errorf("testnet: %w", err)
	}
	node := &Node{
		Name: name, Dir: dir,
		ControlSocket: filepath.Join(dir, "control"),
		LogPath:       filepath.Join(dir, "log"),
		role:          kind, tor: o.Tor, bootstrap: kind.bootstrap(),
	}
	if o.Bootstrapped != 0 {
		node.bootstrap = o.Bootstrapped
	}
	if o.Progress != nil {
		node.progress = func(line string) { o.Progress(name + " " + line) }
	}
	if kind == client {
		node.SocksAddr = fmt.Sprintf("127.0.0.1:%d", 9050+10*number)
		return node, nil
	}
	node.Addr = netip.AddrFrom4([4]byte{198, 18, 0, byte(1 + number)})
	if err := AddAddress(node.Addr); err != nil {
		return nil, err
	}
	resolv := []byte("nameserver 127.0.0.1\n")
	if err := os.WriteFile(filepath.Join(dir, "resolv.conf"), resolv, 0o600); err != nil {
		return nil, fmt.Errorf("testnet: %w", err)
	}
	var err error
	if node.Fingerprint, err = writeIdentity(keys); err != nil {
		return nil, fmt.Errorf("testnet: %s: %w", name, err)
	}
	return node, nil
}

// launch starts the authority, then the relays, which upload their descriptors
// to it, once, whether it hears them or not; and the clients when there is a
// consensus: who asks too early waits out its retries. A relay that did so is
// told by SIGHUP to ask again.
func (n *Network) launch(ctx context.Context) error {
	servers := append([]*Node{n.Authority}, n.Relays...)
	if err := startAll(ctx, servers[:1]); err != nil {
		return err
	}
	if err := n.Authority.listens(ctx, dirPort); err != nil {
		return err
	}
	if err := startAll(ctx, n.Relays); err != nil {
		return err
	}
	if err := n.Authority.up(ctx); err != nil {
		return err
	}
	for _, relay := range n.Relays {
		if err := relay.Reload(); err != nil {
			return err
		}
	}
	if err := startAll(ctx, n.Clients); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, node := range slices.Concat(n.Relays, n.Clients) {
		group.Go(func() error {
			if err := node.up(ctx); err != nil || node.role != client {
				return err
			}
			return node.knows(ctx, servers)
		})
	}
	return group.Wait()
}

func startAll(ctx context.Context, nodes []*Node) error {
	for _, node := range nodes {
		node.mu.Lock()
		err := node.startLocked(ctx)
		node.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

func (n *Network) nodes() []*Node {
	var authority []*Node
	if n.Authority != nil {
		authority = []*Node{n.Authority}
	}
	return slices.Concat(authority, n.Relays, n.Clients)
}

// Close kills every node, waits, and removes the temporary directory. Calling
// it again does nothing.
func (n *Network) Close() error {
	var errs []error
	for _, node := range n.nodes() {
		errs = append(errs, node.Kill())
	}
	if n.temp {
		errs = append(errs, os.RemoveAll(n.dir))
	}
	return errors.Join(errs...)
}
