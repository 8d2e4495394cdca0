package web

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/el-tor/tops/internal/figures"
	"golang.org/x/net/netutil"
)

// Source has the figures.
type Source interface {
	// Figures are those of now.
	Figures(context.Context) (figures.Figures, error)
	// Changed calls f whenever something has happened, until stop.
	Changed(f func()) (stop func())
}

// Config of a [Server]. Source is needed.
type Config struct {
	Source  Source
	Metrics http.Handler  // of /metrics; nil: none
	Hosts   []string      // names that the page may be opened by, besides the loopback's
	Every   time.Duration // the most that a live page is behind, 1 s
}

// Server serves the page. Make one with [New].
type Server struct {
	cfg  Config
	live chan struct{} // a place for each live page

	mu   sync.Mutex // guards what follows; held while figures are gathered
	last figures.Figures
	took time.Duration
	at   time.Time // when last was gathered
}

const (
	maxConns = 64 // at once
	maxLive  = 24 // of them, pages that are kept up to date
)

// New makes a server.
func New(cfg Config) *Server {
	cfg.Every = cmp.Or(cfg.Every, time.Second)
	return &Server{cfg: cfg, live: make(chan struct{}, maxLive)}
}

// Serve answers on ln until ctx ends, and closes it.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	if err := srv.Serve(netutil.LimitListener(ln, maxConns)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return ctx.Err()
}

// Handler answers everything that the page consists of.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("GET /events", s.events)
	for _, file := range []string{"page.css", "live.js", "icon.svg"} {
		mux.Handle("GET /"+file, http.FileServerFS(static))
	}
	if s.cfg.Metrics != nil {
		mux.Handle("GET /metrics", s.cfg.Metrics)
	}
	return s.guard(mux)
}

// figures are those of now, or of a moment ago: gathering them takes no more than
// a twentieth of the time, however many look.
func (s *Server) figures(ctx context.Context) (figures.Figures, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.at.IsZero() && time.Since(s.at) < max(s.cfg.Every/4, 20*s.took) {
		return s.last, nil
	}
	began := time.Now()
	f, err := s.cfg.Source.Figures(ctx)
	if err != nil {
		return f, err
	}
	s.last, s.at = f, time.Now()
	s.took = s.at.Sub(began)
	return f, nil
}
