package regtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
)

// Missing says in one line which programs are not on the PATH, and what is left out
// without them; it is empty if they all are.
func Missing() string {
	var missing []string
	for _, name := range []string{"lightningd", "bitcoind", "bitcoin-cli"} {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, name)
		}
	}
	if missing == nil {
		return ""
	}
	return "left out: real Lightning nodes, for which " + strings.Join(missing, ", ") + " would have to be on the PATH"
}

// Options of [Start].
type Options struct {
	PublicPayee bool     // the payee announces an address; otherwise its offers hold blinded paths
	Stderr      *os.File // where plugins' standard error goes; nil: nowhere
}

// Network is a chain and two nodes with a channel.
type Network struct {
	Version      string // of lightningd
	Payer, Payee Node
	chain        chain
}

// Node is one lightningd.
type Node struct {
	ID  string
	Dir string // its lightning-dir
	RPC string // its socket
	Log string // its log file
}

const channelSat = 10_000_000

// Start starts a chain and two nodes, and opens a channel of 10 million sat from the
// one to the other. They end with the test.
func Start(t testing.TB, o Options) *Network {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "tops-regtest-") // short: a socket's path has 108 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	n := &Network{}
	if n.chain, err = startChain(ctx, t, filepath.Join(dir, "chain")); err != nil {
		t.Fatal(err)
	}
	var payer, payee *cln.Client
	if n.Payer, payer, err = n.startNode(ctx, t, filepath.Join(dir, "payer"), o.Stderr, false); err != nil {
		t.Fatal(err)
	}
	if n.Payee, payee, err = n.startNode(ctx, t, filepath.Join(dir, "payee"), o.Stderr, o.PublicPayee); err != nil {
		t.Fatal(err)
	}
	defer payer.Close()
	defer payee.Close()
	if err := n.openChannel(ctx, payer, payee); err != nil {
		t.Fatal(err)
	}
	info, err := payer.GetInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	n.Version = info.Version
	return n
}

func (n *Network) startNode(ctx context.Context, t testing.TB, dir string, stderr *os.File, public bool) (Node, *cln.Client, error) {
	node := Node{Dir: dir, RPC: filepath.Join(dir, "regtest", "lightning-rpc"), Log: filepath.Join(dir, "log")}
	port, err := freePort()
	if err != nil {
		return node, nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return node, nil, err
	}
	args := []string{"--network=regtest", "--lightning-dir=" + dir, "--log-file=" + node.Log,
		fmt.Sprintf("--bind-addr=127.0.0.1:%d", port), "--fetchinvoice-noconnect", "--disable-dns",
		"--bitcoin-datadir=" + n.chain.dir, fmt.Sprintf("--bitcoin-rpcport=%d", n.chain.port),
		"--force-feerates=2000", "--funding-confirms=1",
		"--developer", "--dev-bitcoind-poll=1", "--dev-fast-gossip", "--allow-deprecated-apis=true"}
	if public {
		args = append(args, "--dev-allow-localhost", fmt.Sprintf("--announce-addr=127.0.0.1:%d", port))
	}
	start(t, stderr, "lightningd", args...)
	c := cln.NewClient(node.RPC)
	err = until(ctx, "lightningd to be up to date", func() bool {
		info, err := c.GetInfo(ctx)
		node.ID = info.ID
		return err == nil && info.Syncing == "" && info.ChainSync == ""
	})
	if err != nil {
		log, _ := os.ReadFile(node.Log)
		return node, nil, fmt.Errorf("%w; its log ends:\n%s", err, log[max(0, len(log)-2000):])
	}
	return node, c, nil
}

// openChannel gives the payer coins of a block of its own, and opens a channel with
// them.
func (n *Network) openChannel(ctx context.Context, payer, payee *cln.Client) error {
	var addr struct{ Bech32, P2TR string }
	if err := payer.Call(ctx, "newaddr", map[string]any{"addresstype": "bech32"}, &addr); err != nil {
		return err
	}
	if err := n.chain.mine(ctx, 1, addr.Bech32); err != nil {
		return err
	}
	if err := n.chain.mine(ctx, 100, nobody); err != nil { // a coinbase may be spent then
		return err
	}
	if err := until(ctx, "the coins", func() bool {
		var funds struct{ Outputs []struct{ Status string } }
		err := payer.Call(ctx, "listfunds", nil, &funds)
		return err == nil && len(funds.Outputs) > 0 && funds.Outputs[0].Status == "confirmed" && n.atTip(ctx, payer, payee)
	}); err != nil {
		return err
	}
	info, err := payee.GetInfo(ctx)
	if err != nil {
		return err
	}
	var listening struct {
		Binding []struct{ Port int }
	}
	if err := payee.Call(ctx, "getinfo", nil, &listening); err != nil {
		return err
	}
	peer := fmt.Sprintf("%s@127.0.0.1:%d", info.ID, listening.Binding[0].Port)
	if err := payer.Call(ctx, "connect", map[string]any{"id": peer}, nil); err != nil {
		return err
	}
	if err := payer.Call(ctx, "fundchannel", map[string]any{"id": info.ID, "amount": channelSat, "push_msat": channelSat * 1000 / 10}, nil); err != nil {
		return err
	}
	if err := n.chain.mine(ctx, 6, nobody); err != nil {
		return err
	}
	if err := until(ctx, "the channel", func() bool {
		for _, c := range []*cln.Client{payer, payee} {
			list, err := c.ListChannels(ctx)
			if err != nil || len(list) != 1 || !list[0].Connected || list[0].State != "CHANNELD_NORMAL" || list[0].SpendableMsat == 0 {
				return false
			}
		}
		return n.atTip(ctx, payer, payee)
	}); err != nil {
		return err
	}
	return until(ctx, "gossip", func() bool { // the way to the payee, in the payer's eyes and its own
		for _, c := range []*cln.Client{payer, payee} {
			var v struct {
				Nodes []struct {
					LastTimestamp int64 `json:"last_timestamp"`
				}
			}
			if err := c.Call(ctx, "listnodes", map[string]any{"id": info.ID}, &v); err != nil || len(v.Nodes) == 0 || v.Nodes[0].LastTimestamp == 0 {
				return false
			}
		}
		return true
	})
}

// atTip reports whether the nodes have seen every block: HTLCs expire by height.
func (n *Network) atTip(ctx context.Context, nodes ...*cln.Client) bool {
	for _, c := range nodes {
		if info, err := c.GetInfo(ctx); err != nil || info.Blockheight != n.chain.height {
			return false
		}
	}
	return true
}

// until waits for a condition that nothing announces.
func until(ctx context.Context, what string, ok func() bool) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waited too long for %s", what)
		}
	}
	return nil
}
