package regtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// nobody is an address whose coins nobody will spend.
const nobody = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"

// chain is a bitcoind with a chain of its own.
type chain struct {
	dir    string
	port   int // of its JSON-RPC, on loopback
	height int
}

// startChain starts bitcoind and mines one block: until then lightningd takes the
// chain for one that is still being loaded.
func startChain(ctx context.Context, t testing.TB, dir string) (c chain, err error) {
	c.dir = dir
	if c.port, err = freePort(); err != nil {
		return c, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return c, err
	}
	start(t, nil, "bitcoind", "-regtest", "-datadir="+dir, "-listen=0", "-server", "-printtoconsole=0",
		"-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1", fmt.Sprintf("-rpcport=%d", c.port))
	if err := until(ctx, "bitcoind", func() bool { return c.call(ctx, nil, "getblockcount") == nil }); err != nil {
		return c, err
	}
	return c, c.mine(ctx, 1, nobody)
}

// mine adds n blocks that pay to an address.
func (c *chain) mine(ctx context.Context, n int, address string) error {
	if err := c.call(ctx, nil, "generatetoaddress", n, address); err != nil {
		return err
	}
	return c.call(ctx, &c.height, "getblockcount")
}

// call calls bitcoind's JSON-RPC, with the cookie that it has left for its owner.
func (c *chain) call(ctx context.Context, result any, method string, params ...any) error {
	cookie, err := os.ReadFile(filepath.Join(c.dir, "regtest", ".cookie"))
	if err != nil {
		return err
	}
	user, password, _ := strings.Cut(string(cookie), ":")
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(map[string]any{"id": 1, "method": method, "params": params})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d/", c.port), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.SetBasicAuth(user, password)
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var v struct {
		Result json.RawMessage
		Error  any
	}
	if err := json.NewDecoder(res.Body).Decode(&v); err != nil {
		return fmt.Errorf("bitcoind: %s: %s: %w", method, res.Status, err)
	}
	if v.Error != nil {
		return fmt.Errorf("bitcoind: %s: %v", method, v.Error)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(v.Result, result)
}

// freePort is a port that was free a moment ago.
func freePort() (int, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}
