package clnsim_test

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/el-tor/tops/cln/clnsim"
)

// What lightningd answers to requests that are not quite right, as recorded.
func TestWire(t *testing.T) {
	w := newWorld(t, clnsim.Options{}, clnsim.NodeOptions{}, clnsim.NodeOptions{})
	for name, c := range map[string]struct{ send, want string }{
		"good":       {`{"jsonrpc":"2.0","id":"s","method":"listoffers","params":[]}`, `{"jsonrpc":"2.0","id":"s","result":{"offers":[]}}`},
		"no id":      {`{"jsonrpc":"2.0","method":"listoffers","params":[]}`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"No id"}}`},
		"no params":  {`{"jsonrpc":"2.0","id":1,"method":"listoffers"}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"No params"}}`},
		"no jsonrpc": {`{"id":1,"method":"listoffers","params":{}}`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"JSON-RPC message does not contain \"jsonrpc\" field: '{\"id\":1,\"method\":\"listoffers\",\"params\":{}}'"}}`},
		"unknown":    {`{"jsonrpc":"2.0","id":1,"method":"nosuchmethod","params":{}}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Unknown command 'nosuchmethod'"}}`},
		"missing":    {`{"jsonrpc":"2.0","id":1,"method":"fetchinvoice","params":{}}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"missing required parameter: offer"}}`},
		"big id":     {`{"jsonrpc":"2.0","id":192806389488189250,"method":"listoffers","params":{}}`, `{"jsonrpc":"2.0","id":192806389488189250,"result":{"offers":[]}}`},
		"escaped":    {`{"jsonrpc":"2.0","id":1,"method":"offer","params":{"amount":"any","description":"a \u0026 b"}}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"description: should be a string (without \\u): invalid token '\"a \\u0026 b\"'"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			conn := w.dial("bob")
			conn.send(c.send)
			if got := conn.recv(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestWireOrder(t *testing.T) {
	w := newWorld(t, clnsim.Options{}, clnsim.NodeOptions{}, clnsim.NodeOptions{})
	c := w.dial("bob")
	c.send(`{"jsonrpc":"2.0","id":1,"method":"waitanyinvoice","params":{"lastpay_index":0,"timeout":1}}`)
	c.send(`{"jsonrpc":"2.0","id":2,"method":"listoff`)
	c.send(`ers","params":{}}`)
	if got := c.recv(); got != `{"jsonrpc":"2.0","id":2,"result":{"offers":[]}}` {
		t.Errorf("first %s", got)
	}
	if got := c.recv(); got != `{"jsonrpc":"2.0","id":1,"error":{"code":904,"message":"Timed out while waiting for invoice to be paid"}}` {
		t.Errorf("then %s", got)
	}
}

func TestWireHalfClose(t *testing.T) {
	w := newWorld(t, clnsim.Options{}, clnsim.NodeOptions{}, clnsim.NodeOptions{})
	c := w.dial("bob")
	c.send(`{"jsonrpc":"2.0","id":1,"method":"waitanyinvoice","params":{}}`)
	if err := c.Conn.(*net.UnixConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c.r); err != nil || len(b) > 0 {
		t.Errorf("got %q, %v", b, err)
	}
}

// Malformed JSON gets no answer, and the connection stays: the caller's next half-close ends it.
func TestWireMalformed(t *testing.T) {
	w := newWorld(t, clnsim.Options{}, clnsim.NodeOptions{}, clnsim.NodeOptions{})
	for _, s := range []string{"hello\n", `{"jsonrpc":"2.0","id":1,]]`} {
		c := w.dial("bob")
		c.send(s)
		c.send(strings.Repeat(" ", 1<<20)) // still taken
		if err := c.Conn.(*net.UnixConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(c.r); err != nil || len(b) > 0 {
			t.Errorf("%q: got %q, %v", s, b, err)
		}
	}
}

func TestSocketIsPrivate(t *testing.T) {
	w := newWorld(t, clnsim.Options{}, clnsim.NodeOptions{}, clnsim.NodeOptions{})
	info, err := os.Stat(w.path("bob"))
	if err != nil {
		t.Fatal(err)
	}
	if p := info.Mode().Perm(); p != 0o600 {
		t.Errorf("mode %o", p)
	}
}

func TestOutage(t *testing.T) {
	w := newWorld(t, clnsim.Options{}, clnsim.NodeOptions{}, clnsim.NodeOptions{})
	c := w.dial("bob")
	c.send(`{"jsonrpc":"2.0","id":1,"method":"waitanyinvoice","params":{}}`)
	if err := w.SetOutage("bob", true); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c.r); len(b) > 0 {
		t.Errorf("got %q, %v", b, err)
	}
	if _, err := net.Dial("unix", w.path("bob")); err == nil {
		t.Error("the socket is still there")
	}
	if err := w.SetOutage("bob", false); err != nil {
		t.Fatal(err)
	}
	w.must("bob", "getinfo", obj{})
}
