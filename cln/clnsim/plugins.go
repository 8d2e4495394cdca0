package clnsim

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// pluginHost is a node's plugins. It has a mutex of its own, since plugins are spoken to without the world's.
type pluginHost struct {
	mu   sync.Mutex // protects list
	list []*plugin
}

func (h *pluginHost) all() []*plugin {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = slices.DeleteFunc(h.list, func(p *plugin) bool { return !p.alive() })
	return slices.Clone(h.list)
}

func (h *pluginHost) find(name string) *plugin {
	for _, p := range h.all() {
		if p.name == filepath.Base(name) {
			return p
		}
	}
	return nil
}

// method finds the plugin that brought a command.
func (h *pluginHost) method(name string) *plugin {
	for _, p := range h.all() {
		for _, m := range p.manifest.RPCMethods {
			if m.Name == name {
				return p
			}
		}
	}
	return nil
}

// shutDown ends every plugin.
func (h *pluginHost) shutDown() {
	var wg sync.WaitGroup
	for _, p := range h.all() {
		wg.Go(p.shutDown)
	}
	wg.Wait()
}

// notify tells the plugins that subscribe to a topic, wrapped in its name.
func (h *pluginHost) notify(topic string, v any) {
	for _, p := range h.all() {
		if p.subscribes(topic) {
			_ = p.send(nil, topic, map[string]any{topic: v}) // one that has ended wants no news
		}
	}
}

// tell notifies the node's plugins, later and in any order, since the world's mutex is held.
func (n *node) tell(topic string, v any) {
	if len(n.plugins.all()) > 0 {
		n.w.wg.Go(func() { n.plugins.notify(topic, v) })
	}
}

// allows asks the plugins that hook invoice_payment whether the node may take a payment.
func (h *pluginHost) allows(ctx context.Context, label, preimage string, msat int64) bool {
	payment := map[string]any{"label": label, "preimage": preimage, "msat": msat, "extratlvs": []any{}}
	for _, p := range h.all() {
		if !p.hooks("invoice_payment") {
			continue
		}
		var v struct{ Result string }
		err := p.callInto(ctx, "invoice_payment", map[string]any{"payment": payment}, &v)
		if err != nil && !p.alive() {
			continue // as lightningd does
		}
		if err != nil || v.Result != "continue" {
			return false
		}
	}
	return true
}

// pluginCommand is the command "plugin": start, stop and list. What else it is given are options of the plugin.
func pluginCommand(ctx context.Context, n *node, a *args) (any, error) {
	sub, path := a.raw("subcommand"), a.text("plugin")
	switch sub {
	case "start":
		if err := n.startPlugin(ctx, path, a); err != nil {
			return nil, err
		}
	case "stop":
		p := n.plugins.find(path)
		switch {
		case p == nil:
			return nil, errorf(codeParams, "Could not find plugin %s", path)
		case !p.dynamic():
			return nil, errorf(codeParams, "%s cannot be managed when lightningd is up", path)
		}
		p.shutDown()
		return map[string]any{"command": sub, "result": fmt.Sprintf("Successfully stopped %s.", p.name)}, nil
	case "list":
	default:
		return nil, errorf(codeParams, "subcommand: unknown subcommand: invalid token '%s'", a.values["subcommand"])
	}
	list := []any{}
	for _, p := range n.plugins.all() {
		list = append(list, map[string]any{"name": p.path, "active": true, "dynamic": p.dynamic()})
	}
	return map[string]any{"command": sub, "plugins": list}, nil
}

func (p *plugin) dynamic() bool { return p.manifest.Dynamic == nil || *p.manifest.Dynamic }

func (n *node) startPlugin(ctx context.Context, path string, a *args) error {
	if n.plugins.find(path) != nil {
		return errorf(codeParams, "%s: already registered", path)
	}
	p, err := startPlugin(ctx, path, n.w.opts.PluginStderr)
	if err != nil {
		return errorf(codeGeneric, "%s: %v", path, err)
	}
	if err := n.initPlugin(ctx, p, a); err != nil {
		p.kill()
		return errorf(codeGeneric, "%s: %v", path, err)
	}
	n.plugins.mu.Lock()
	defer n.plugins.mu.Unlock()
	n.plugins.list = append(n.plugins.list, p)
	return nil
}

func (n *node) initPlugin(ctx context.Context, p *plugin, a *args) error {
	if p.manifest.Disable != "" {
		return fmt.Errorf("disabled itself: %s", p.manifest.Disable)
	}
	if !p.dynamic() {
		return fmt.Errorf("not a dynamic plugin")
	}
	options := map[string]any{}
	for _, o := range p.manifest.Options {
		if o.Default != nil {
			options[o.Name] = o.Default
		}
		if raw, ok := a.values[o.Name]; ok {
			options[o.Name] = raw
		}
	}
	for name := range a.values {
		if _, ok := options[name]; !ok && !strings.Contains(" subcommand plugin options directory ", " "+name+" ") {
			return fmt.Errorf("unknown parameter %s", name)
		}
	}
	socket := n.socket().path
	ctx, cancel := context.WithTimeout(ctx, pluginPatience)
	defer cancel()
	var v struct{ Disable string }
	err := p.callInto(ctx, "init", map[string]any{
		"options": options,
		"configuration": map[string]any{
			"lightning-dir": filepath.Dir(socket), "rpc-file": filepath.Base(socket), "startup": false, "network": "regtest",
			"feature_set": map[string]string{
				"init": "800898880a8a59a1", "node": "808898880a8a59a1", "channel": "", "invoice": "02000002024100",
				"bolt12_offer": "", "bolt12_invreq": "", "bolt12_invoice": "020000", "channel_type": "08800000800000",
			},
		},
	}, &v)
	switch {
	case err != nil:
		return fmt.Errorf("init: %w", err)
	case v.Disable != "":
		return fmt.Errorf("disabled itself: %s", v.Disable)
	}
	return nil
}

// mayTake asks the payee's plugins about a payment that has arrived, without the world's mutex.
func (n *node) mayTake(hash string, msat int64) bool {
	n.w.mu.Lock()
	row := n.invoices.byHash[hash]
	n.w.mu.Unlock()
	if row == nil {
		return true // and it is refused for that
	}
	ctx, cancel := context.WithTimeout(n.w.ctx, time.Minute)
	defer cancel()
	return n.plugins.allows(ctx, row.label, row.preimage, msat)
}
