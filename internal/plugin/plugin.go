package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/el-tor/tops/internal/config"
	"github.com/elementsproject/glightning/glightning"
)

// Tops is a running tops, as the methods show and use it. What they return is
// sent as JSON.
type Tops interface {
	Status(ctx context.Context) (any, error)
	Terms(ctx context.Context, relay string) (any, error) // empty: its own
	Relays(ctx context.Context) (any, error)
	PayStreams(ctx context.Context) (any, error)
	PayStream(ctx context.Context, handle string) (any, error)
	Ledger(ctx context.Context, limit int) (any, error)
	Pay(ctx context.Context, path []string) (any, error) // empty: a path of its choice
	Stop(ctx context.Context, handle string) (any, error)

	// Look makes it ask the node for payments at once. It must not block.
	Look()
}

// Config is what a plugin starts.
type Config struct {
	// Run runs tops by the configuration that was written to path, until ctx ends.
	// It calls ready once what is configured works.
	Run func(ctx context.Context, cfg *config.Config, path string, ready func(Tops)) error
}

// endWithin is how long a clean end may take; lightningd kills after 30 s.
const endWithin = 28 * time.Second

// Serve speaks with lightningd over in and out until it says shutdown, hangs up,
// or ctx ends, and ends tops cleanly. What else is written to os.Stdout by then
// goes to standard error.
func Serve(ctx context.Context, c Config, in, out *os.File) error {
	os.Stdout = os.Stderr
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &server{cfg: c, ctx: ctx, end: cancel, ended: make(chan error, 1)}
	g := glightning.NewPlugin(func(*glightning.Plugin, map[string]glightning.Option, *glightning.Config) {})
	for _, m := range s.methods() {
		if err := g.RegisterMethod(m); err != nil {
			return err
		}
	}
	go func() {
		_ = g.Start(in, out) // returns when lightningd has hung up
		cancel()
	}()
	select {
	case <-ctx.Done():
	case err := <-s.ended: // before it was told to: that is for lightningd's log, and its to see
		return err
	}
	if !s.began() {
		return nil
	}
	select {
	case err := <-s.ended:
		return err
	case <-time.After(endWithin):
		return fmt.Errorf("tops did not end within %s", endWithin)
	}
}

// server is what stands behind the methods.
type server struct {
	cfg   Config
	ctx   context.Context // of tops
	end   context.CancelFunc
	ended chan error // of tops, once

	mu      sync.Mutex // guards those below
	started bool
	tops    Tops // nil until it is ready
}

func (s *server) began() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started
}

// running is the running tops, for a method.
func (s *server) running() (Tops, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tops == nil {
		return nil, errors.New("tops is starting: try again in a moment")
	}
	return s.tops, nil
}

// start begins to run, by what lightningd said in init. An error means that the
// configuration is wrong.
func (s *server) start(options, configuration json.RawMessage) error {
	var node struct {
		Dir string `json:"lightning-dir"`
		RPC string `json:"rpc-file"`
	}
	if err := json.Unmarshal(configuration, &node); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	var given map[string]any
	if err := json.Unmarshal(options, &given); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	socket := node.RPC
	if !filepath.IsAbs(socket) {
		socket = filepath.Join(node.Dir, socket)
	}
	text, err := configure(given, filepath.Join(node.Dir, "tops"), socket)
	if err != nil {
		return err
	}
	cfg, err := config.Parse(text)
	if err != nil {
		return err
	}
	path, err := keep(cfg.DataDir, text)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started {
		return errors.New("init was called before")
	}
	s.started = true
	go func() {
		s.ended <- s.cfg.Run(s.ctx, cfg, path, func(t Tops) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.tops = t
		})
	}()
	return nil
}

// keep writes the configuration down, for the subcommands.
func keep(dir, text string) (path string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	path = filepath.Join(dir, "tops.toml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// look passes a hint on.
func (s *server) look() {
	if t, err := s.running(); err == nil {
		t.Look()
	}
}
