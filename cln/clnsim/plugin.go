package clnsim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// A plugin has so long to answer getmanifest and init, and as long to end after it was told of the shutdown.
const pluginPatience = 30 * time.Second

// plugin is a process that lightningd starts and talks JSON-RPC with over its standard input and output.
type plugin struct {
	name     string
	path     string
	cmd      *exec.Cmd
	manifest manifest
	ended    chan struct{} // closed when the process has

	in    io.WriteCloser
	queue chan []byte // what is to be written, in order

	mu      sync.Mutex // protects what follows
	next    int
	pending map[string]chan pluginAnswer
}

// manifest is a plugin's answer to getmanifest.
type manifest struct {
	Options []struct {
		Name    string
		Type    string
		Default any
	}
	RPCMethods    []struct{ Name, Usage, Description string }
	Subscriptions []string
	Hooks         []hookName
	Dynamic       *bool // true if it is not there
	Disable       string
}

// hookName is written as an object, or in the older form as a string.
type hookName string

func (h *hookName) UnmarshalJSON(b []byte) error {
	var v struct{ Name string }
	if json.Unmarshal(b, &v) == nil && v.Name != "" {
		*h = hookName(v.Name)
		return nil
	}
	return json.Unmarshal(b, (*string)(h))
}

type pluginAnswer struct {
	Result json.RawMessage
	Error  *rpcError
}

// startPlugin starts the process and asks it what it is.
func startPlugin(ctx context.Context, path string, stderr io.Writer) (*plugin, error) {
	p := &plugin{
		name: filepath.Base(path), path: path, cmd: exec.Command(path), ended: make(chan struct{}),
		queue: make(chan []byte, 1024), pending: map[string]chan pluginAnswer{},
	}
	p.cmd.Env = append(os.Environ(), "LIGHTNINGD_PLUGIN=1", "LIGHTNINGD_VERSION=v26.06.6-clnsim")
	p.cmd.Stderr = stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.in = in
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.write()
	go p.read(out)
	ctx, cancel := context.WithTimeout(ctx, pluginPatience)
	defer cancel()
	if err := p.callInto(ctx, "getmanifest", map[string]any{"allow-deprecated-apis": false}, &p.manifest); err != nil {
		p.kill()
		return nil, fmt.Errorf("getmanifest: %w", err)
	}
	return p, nil
}

func (p *plugin) write() {
	for {
		select {
		case b := <-p.queue:
			if _, err := p.in.Write(append(b, '\n', '\n')); err != nil {
				return
			}
		case <-p.ended:
			return
		}
	}
}

// read takes answers, and passes over the plugin's notifications, until the process ends.
func (p *plugin) read(out io.Reader) {
	for dec := json.NewDecoder(out); ; {
		var m struct {
			ID     json.RawMessage
			Method string
			pluginAnswer
		}
		if dec.Decode(&m) != nil {
			break
		}
		p.mu.Lock()
		ch := p.pending[string(m.ID)]
		delete(p.pending, string(m.ID))
		p.mu.Unlock()
		if ch != nil && m.Method == "" {
			ch <- m.pluginAnswer
		}
	}
	// What is not the protocol ends a plugin, as it does in lightningd.
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	close(p.ended)
}

// call asks the plugin.
func (p *plugin) call(ctx context.Context, method string, params any) (json.RawMessage, error) {
	ch := make(chan pluginAnswer, 1)
	p.mu.Lock()
	p.next++
	id := fmt.Sprintf("%q", fmt.Sprintf("cln:%s#%d", method, p.next))
	p.pending[id] = ch
	p.mu.Unlock()
	if err := p.send(json.RawMessage(id), method, params); err != nil {
		return nil, err
	}
	select {
	case a := <-ch:
		if a.Error != nil {
			return nil, a.Error
		}
		return a.Result, nil
	case <-p.ended:
		return nil, errors.New("plugin terminated before replying to RPC call")
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (p *plugin) callInto(ctx context.Context, method string, params, result any) error {
	raw, err := p.call(ctx, method, params)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, result)
}

// send queues a request, or without an id a notification.
func (p *plugin) send(id json.RawMessage, method string, params any) error {
	b, err := json.Marshal(struct {
		JSONRPC string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id,omitempty"`
		Method  string          `json:"method"`
		Params  any             `json:"params"`
	}{"2.0", id, method, params})
	if err != nil {
		return err
	}
	select {
	case p.queue <- b:
		return nil
	case <-p.ended:
		return errors.New("plugin terminated")
	}
}

func (p *plugin) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// shutDown tells the plugin, if it wants to know, and waits for its end; then, or at once if it does not, it is killed.
func (p *plugin) shutDown() {
	if p.subscribes("shutdown") && p.send(nil, "shutdown", struct{}{}) == nil {
		select {
		case <-p.ended:
		case <-time.After(pluginPatience):
		}
	}
	p.kill()
}

func (p *plugin) subscribes(topic string) bool {
	for _, s := range p.manifest.Subscriptions {
		if s == topic || s == "*" {
			return true
		}
	}
	return false
}

func (p *plugin) hooks(name string) bool {
	for _, h := range p.manifest.Hooks {
		if string(h) == name {
			return true
		}
	}
	return false
}

// alive reports whether the process is there.
func (p *plugin) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}
