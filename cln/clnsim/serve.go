package clnsim

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// Start lets a node listen on a unix socket, like lightningd's lightning-rpc, until the world is closed.
func (w *World) Start(name, socketPath string) error {
	n, err := w.node(name)
	if err != nil {
		return err
	}
	e := &endpoint{path: socketPath, handler: n.serve}
	if tap := w.opts.Tap; tap != nil {
		e.tap = func(method string, params, answer []byte) { tap(name, method, params, answer) }
	}
	w.mu.Lock()
	taken := n.endpoint != nil
	if !taken {
		n.endpoint = e
	}
	w.mu.Unlock()
	if taken {
		return fmt.Errorf("node %q listens already", name)
	}
	if err := e.open(w.ctx); err != nil {
		return fmt.Errorf("node %q: %w", name, err)
	}
	return nil
}

// SetOutage takes a node's socket away, cutting its callers off in the middle of whatever they asked, or brings it back.
// The node itself lives on: payments under way go on, and others can pay it.
func (w *World) SetOutage(name string, out bool) error {
	n, err := w.node(name)
	if err != nil {
		return err
	}
	e := n.socket()
	switch {
	case e == nil:
		return fmt.Errorf("node %q was not started", name)
	case out:
		e.close()
		return nil
	}
	return e.open(w.ctx)
}

// serve answers one call to the node.
func (n *node) serve(ctx context.Context, name string, params json.RawMessage) (any, bool, error) {
	f := n.currentFaults()
	if !sleep(ctx, f.Latency) {
		return nil, true, errGone
	}
	m, ok := methods[name]
	if p := n.plugins.method(name); p != nil {
		v, err := p.call(ctx, name, params)
		return v, false, err
	}
	if !ok || slices.Contains(n.hide, name) {
		return nil, false, errorf(codeUnknownMethod, "Unknown command '%s'", name)
	}
	a, err := newArgs(m.usage, params)
	if err != nil {
		return nil, false, err
	}
	v, err := m.run(ctx, n, a)
	return v, n.w.chance(f.HangUpRate), err
}

// ServeControl listens on a unix socket of its own, for those who rule over the world while it runs, until ctx ends:
//
//	nodes                             {"nodes": [{"name", "id"}]}
//	addnode name                      a new node, with a socket if path is given
//	faults node [set]                 what is wrong with a node; set: an object such as {"paydelay": "300ms"}
//	outage node on                    no socket
//	offline node on                   no network
//	snapshot node                     keep its database
//	restore node                      start it again with the one kept last, or with none
//	name name [offer]                 a BIP 353 name
//	balances                          every node's money
//	payments [after]                  what really happened, from that number on
//	audit                             {"ok": bool, "differences": text}
func (w *World) ServeControl(ctx context.Context, socketPath string) error {
	e := &endpoint{path: socketPath, handler: w.control}
	if err := e.open(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	e.close()
	return nil
}

func (w *World) control(_ context.Context, name string, params json.RawMessage) (any, bool, error) {
	run, ok := controls[name]
	if !ok {
		return nil, false, errorf(codeUnknownMethod, "Unknown command '%s'", name)
	}
	a, err := newArgs(run.usage, params)
	if err != nil {
		return nil, false, err
	}
	v, err := run.do(w, a)
	if err != nil {
		return nil, false, errorf(codeParams, "%v", err)
	}
	return v, false, nil
}

var controls = map[string]struct {
	usage string
	do    func(w *World, a *args) (any, error)
}{
	"nodes": {"nodes", func(w *World, _ *args) (any, error) {
		list := []map[string]string{}
		for _, name := range w.Nodes() {
			id, _ := w.NodeID(name) // nodes are never removed
			list = append(list, map[string]string{"name": name, "id": id})
		}
		return map[string]any{"nodes": list}, nil
	}},
	"addnode": {"addnode name [path]", func(w *World, a *args) (any, error) {
		name, path := a.text("name"), a.text("path")
		if err := w.AddNode(name, NodeOptions{}); err != nil || path == "" {
			return struct{}{}, err
		}
		return struct{}{}, w.Start(name, path)
	}},
	"faults": {"faults node [set]", func(w *World, a *args) (any, error) {
		f, err := w.Faults(a.text("node"))
		if err != nil {
			return nil, err
		}
		set := map[string]string{}
		if raw, ok := a.values["set"]; ok {
			if err := json.Unmarshal(raw, &set); err != nil {
				return nil, err
			}
		}
		for k, v := range set {
			if err := f.Set(k, v); err != nil {
				return nil, err
			}
		}
		return map[string]any{"faults": f.Map()}, w.SetFaults(a.text("node"), f)
	}},
	"outage": {"outage node on", func(w *World, a *args) (any, error) {
		node, on := a.text("node"), a.flag("on")
		if a.err != nil {
			return nil, a.err
		}
		return struct{}{}, w.SetOutage(node, on)
	}},
	"offline": {"offline node on", func(w *World, a *args) (any, error) {
		node, on := a.text("node"), a.flag("on")
		if a.err != nil {
			return nil, a.err
		}
		return struct{}{}, w.SetOffline(node, on)
	}},
	"snapshot": {"snapshot node", func(w *World, a *args) (any, error) { return struct{}{}, w.Snapshot(a.text("node")) }},
	"restore":  {"restore node", func(w *World, a *args) (any, error) { return struct{}{}, w.Restore(a.text("node")) }},
	"name": {"name name [offer]", func(w *World, a *args) (any, error) {
		w.SetName(a.text("name"), a.text("offer"))
		return struct{}{}, nil
	}},
	"balances": {"balances", func(w *World, _ *args) (any, error) { return map[string]any{"balances": w.Balances()}, nil }},
	"payments": {"payments [after]", func(w *World, a *args) (any, error) {
		after, _ := a.uint("after")
		list := w.Payments()
		return map[string]any{"payments": list[min(after, uint64(len(list))):]}, nil
	}},
	"audit": {"audit", func(w *World, _ *args) (any, error) {
		if err := w.Audit(); err != nil {
			return map[string]any{"ok": false, "differences": err.Error()}, nil
		}
		return map[string]any{"ok": true, "differences": ""}, nil
	}},
}
