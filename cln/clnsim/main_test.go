package clnsim_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/cln/internal/clndata"
)

// data are Core Lightning's schemas and recorded calls, if they are there: every call of every test is held to them.
var data *clndata.Data

func TestMain(m *testing.M) {
	if os.Getenv("LIGHTNINGD_PLUGIN") != "" {
		runPlugin()
		return
	}
	var left string
	if data, left = clndata.Open(); left != "" {
		fmt.Fprintln(os.Stderr, left)
	}
	goleak.VerifyTestMain(m)
}

// world is a World with nodes alice and bob, each on a socket.
type world struct {
	*clnsim.World
	t   testing.TB
	dir string
}

func newWorld(t testing.TB, opts clnsim.Options, alice, bob clnsim.NodeOptions) *world {
	t.Helper()
	opts.Tap = func(_, method string, params, answer []byte) {
		if err := data.CheckCall(method, params, answer); err != nil && params[0] == '{' {
			t.Error(err)
		}
	}
	w := &world{clnsim.NewWorld(opts), t, t.TempDir()}
	t.Cleanup(w.Close)
	for name, o := range map[string]clnsim.NodeOptions{"alice": alice, "bob": bob} {
		if err := w.AddNode(name, o); err != nil {
			t.Fatal(err)
		}
		if err := w.Start(name, w.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *world) path(node string) string { return filepath.Join(w.dir, node) }

func (w *world) dial(node string) *rawConn {
	w.t.Helper()
	c, err := net.Dial("unix", w.path(node))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return &rawConn{c, bufio.NewReader(c), w.t}
}

// rawConn speaks bytes, so that nothing of the protocol is hidden.
type rawConn struct {
	net.Conn
	r *bufio.Reader
	t testing.TB
}

func (c *rawConn) send(s string) {
	c.t.Helper()
	if _, err := c.Write([]byte(s)); err != nil {
		c.t.Fatal(err)
	}
}

// recv reads up to the two newlines.
func (c *rawConn) recv() string {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	var b bytes.Buffer
	for !bytes.HasSuffix(b.Bytes(), []byte("\n\n")) {
		line, err := c.r.ReadBytes('\n')
		b.Write(line)
		if err != nil {
			c.t.Fatalf("after %q: %v", b.String(), err)
		}
	}
	return strings.TrimSuffix(b.String(), "\n\n")
}

type reply struct {
	ID     json.RawMessage
	Result map[string]any
	Error  *struct {
		Code    int
		Message string
		Data    map[string]any
	}
}

func (r reply) code() int {
	if r.Error == nil {
		return 0
	}
	return r.Error.Code
}

func (r reply) text(name string) string { s, _ := r.Result[name].(string); return s }

// call makes one call on a connection of its own.
func (w *world) call(node, method string, params any) reply {
	w.t.Helper()
	c := w.dial(node)
	defer c.Close()
	p, err := json.Marshal(params)
	if err != nil {
		w.t.Fatal(err)
	}
	c.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, p))
	var r reply
	if err := json.Unmarshal([]byte(c.recv()), &r); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// must is call for what may not fail.
func (w *world) must(node, method string, params any) reply {
	w.t.Helper()
	r := w.call(node, method, params)
	if r.Error != nil {
		w.t.Fatalf("%s: %+v", method, *r.Error)
	}
	return r
}

type obj map[string]any

func (w *world) audit() {
	w.t.Helper()
	if err := w.Audit(); err != nil {
		w.t.Error(err)
	}
}

// waitFor waits for a socket to be there.
func (w *world) waitFor(node string) {
	w.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		c, err := net.Dial("unix", w.path(node))
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(end) {
			w.t.Fatal(err)
		}
	}
}
