package clnsim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A caller may have so many calls in flight on one connection, and none may be longer than this.
const (
	maxInFlight = 1024
	maxRequest  = 4 << 20
)

// handler answers one call. An error that is not an *rpcError is answered as -1. hangUp cuts the connection instead.
type handler func(ctx context.Context, method string, params json.RawMessage) (result any, hangUp bool, err error)

// endpoint is a unix socket and its connections. It can be closed and opened again under the same path.
type endpoint struct {
	path    string
	handler handler
	tap     func(method string, params, answer []byte) // may be nil

	mu    sync.Mutex
	ln    net.Listener // nil while closed
	stop  context.CancelFunc
	ended sync.WaitGroup
}

// open listens, with a socket that only its owner may use.
func (e *endpoint) open(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ln != nil || ctx.Err() != nil {
		return ctx.Err()
	}
	if info, err := os.Lstat(e.path); err == nil && info.Mode().Type() == fs.ModeSocket {
		if err := os.Remove(e.path); err != nil {
			return err
		}
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var chmod error
		err := c.Control(func(fd uintptr) { chmod = unix.Fchmod(int(fd), 0o600) }) // before it is bound, so never open to others
		return errors.Join(err, chmod)
	}}
	ln, err := lc.Listen(ctx, "unix", e.path)
	if err != nil {
		return err
	}
	ctx, e.stop = context.WithCancel(ctx)
	e.ln = ln
	e.ended.Go(func() { e.accept(ctx, ln) })
	return nil
}

// close cuts every connection and waits until nothing runs. Calls under way are not answered.
func (e *endpoint) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ln == nil {
		return
	}
	e.stop()
	_ = e.ln.Close()
	e.ended.Wait()
	e.ln = nil
}

func (e *endpoint) accept(ctx context.Context, ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		e.ended.Go(func() { e.serve(ctx, conn) })
	}
}

// serve reads calls until the caller closes its side, even half: as with lightningd, answers under way are lost then.
func (e *endpoint) serve(ctx context.Context, conn net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	var calls sync.WaitGroup
	defer calls.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer conn.Close()

	var mu sync.Mutex // one answer at a time
	write := func(b []byte) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = conn.Write(append(b, '\n', '\n')) // if the caller has gone, reading ends too
	}
	slots := make(chan struct{}, maxInFlight)
	limit := &io.LimitedReader{R: conn}
	for dec := json.NewDecoder(limit); ; {
		limit.N = maxRequest
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			if errors.As(err, new(*json.SyntaxError)) {
				_, _ = io.Copy(io.Discard, conn) // malformed: no answer, no close
			}
			return
		}
		id, method, params, bad := parseRequest(raw)
		if bad != nil {
			write(answer(id, nil, bad))
			continue
		}
		slots <- struct{}{}
		calls.Go(func() {
			defer func() { <-slots }()
			result, hangUp, err := e.handler(ctx, method, params)
			b := answer(id, result, err)
			if e.tap != nil {
				e.tap(method, params, b)
			}
			switch {
			case hangUp:
				cancel()
			case ctx.Err() == nil:
				write(b)
			}
		})
	}
}

// parseRequest checks what lightningd checks, with its words.
func parseRequest(raw json.RawMessage) (id json.RawMessage, method string, params json.RawMessage, bad error) {
	var m map[string]json.RawMessage
	null := json.RawMessage("null")
	if json.Unmarshal(raw, &m) != nil {
		return null, "", nil, errorf(codeInvalidRequest, "Expected {} for json command")
	}
	if _, ok := m["jsonrpc"]; !ok {
		return null, "", nil, errorf(codeInvalidRequest, `JSON-RPC message does not contain "jsonrpc" field: '%s'`, raw)
	}
	id, ok := m["id"]
	if !ok {
		return null, "", nil, errorf(codeInvalidRequest, "No id")
	}
	if json.Unmarshal(m["method"], &method) != nil {
		return id, "", nil, errorf(codeInvalidRequest, "No method")
	}
	if params, ok = m["params"]; !ok {
		return id, "", nil, errorf(codeInvalidRequest, "No params")
	}
	return id, method, params, nil
}

// answer writes an answer as lightningd does: UTF-8 as it is, nothing escaped for HTML.
func answer(id json.RawMessage, result any, err error) []byte {
	m := struct {
		JSONRPC string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Result  any             `json:"result,omitempty"`
		Error   *rpcError       `json:"error,omitempty"`
	}{JSONRPC: "2.0", ID: id, Result: result}
	if err != nil {
		m.Result = nil
		if !errors.As(err, &m.Error) {
			m.Error = errorf(codeGeneric, "%v", err)
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return []byte(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-1,"message":"the answer does not encode"}}`, id))
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
