package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/el-tor/tops/controlspec"
)

// Server is a control-port proxy. Dial alone is required. The fields must not
// be changed after the first Serve.
type Server struct {
	// Dial connects to tor's control port, once for each controller.
	Dial func(ctx context.Context) (net.Conn, error)

	// Auth lets controllers in; nil: tor does, and sees what they bring.
	Auth *Auth

	// Login is how each connection to tor is authenticated if Auth is not nil.
	Login Login

	// Engine answers the words of TOPS; nil: they go to tor.
	Engine Engine

	Terms   CircuitTerms  // USEFEATURE PAYMENT_TERMS
	Conf    Conf          // GETCONF, SETCONF and RESETCONF of Payment options
	Attach  AttachChecker // ATTACHSTREAM
	Upgrade Upgrader      // EXTENDCIRCUIT 0: of the controllers whose Guard says so, without Access of all

	// Access holds controllers to profiles; nil: they may do what tor lets them.
	Access Access

	// DialTimeout bounds Dial, and so how long a controller waits while tor
	// restarts; 0 means 5 s.
	DialTimeout time.Duration

	// MaxControllers bounds the connections served at once; 0 means 4096.
	MaxControllers int

	// StallTimeout is how long a controller may take to read what is written to it
	// at once, at most 64 KiB; then it is disconnected. 0 means for ever: its
	// connection to tor waits, and tor keeps what it has to say.
	StallTimeout time.Duration

	// OnError is told why a session ended badly, and what the engine's errors were
	// that controllers do not learn; nil drops it. It must not block.
	OnError func(Controller, error)

	mu     sync.Mutex
	lastID uint64 // guarded by mu
	active int    // guarded by mu
}

// Pass is another server for the same tor, that leaves authentication to it.
func (s *Server) Pass() *Server {
	return &Server{
		Dial: s.Dial, Engine: s.Engine, Terms: s.Terms, Conf: s.Conf, Attach: s.Attach, Upgrade: s.Upgrade, Access: s.Access,
		DialTimeout: s.DialTimeout, MaxControllers: s.MaxControllers, StallTimeout: s.StallTimeout, OnError: s.OnError,
	}
}

// knocking is how long a controller has to authenticate itself to us.
const knocking = time.Minute

// lingering is how long a controller has to read our last words.
const lingering = time.Second

// Serve serves the controllers that connect to ln until ctx ends, then closes
// everything, waits for the sessions and returns nil. It closes ln. It may be
// called for several listeners at once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var sessions sync.WaitGroup
	defer sessions.Wait()
	defer cancel()
	defer ln.Close()
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()

	pause := time.Duration(0)
	for {
		conn, err := ln.Accept()
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("accept controller: %w", err)
		}
		if err != nil { // out of descriptors, most likely: those in use will be freed
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			continue
		}
		pause = 0
		sessions.Go(func() { s.serve(ctx, conn) })
	}
}

func (s *Server) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	c, ok := s.enter(conn)
	defer s.leave()
	if !ok {
		sayGoodbye(conn, "551 Too many controllers are connected to tops\r\n")
		return
	}
	var guard Guard
	if s.Access != nil {
		var err error
		if guard, err = s.Access.Admit(c); err != nil {
			s.report(c, fmt.Errorf("admit controller: %w", err))
			sayGoodbye(conn, string(controlspec.AppendLine(nil, 510, ' ', "Refused: "+err.Error())))
			return
		}
		c.Profile = guard.Profile()
	}
	timeout := s.DialTimeout
	if timeout == 0 {
		timeout = 5 * time.Second
	}
	dialCtx, dialed := context.WithTimeout(ctx, timeout)
	tor, version, err := s.connect(dialCtx)
	dialed()
	if err != nil {
		s.report(c, fmt.Errorf("reach tor: %w", err))
		sayGoodbye(conn, "551 Tor is not reachable now, try again later\r\n")
		return
	}
	defer tor.Close()
	session := newSession(s, c, conn, tor)
	session.guard, session.askFunc = guard, session.askTor
	if s.Auth != nil {
		session.door = &door{auth: s.Auth, peer: c.Peer, version: version, known: guard != nil && guard.Trusted()}
		if err := session.knock(); err != nil {
			s.report(c, fmt.Errorf("authenticate controller: %w", err))
			sayGoodbye(conn, "")
			return
		}
	}
	if err := session.run(ctx); err != nil && ctx.Err() == nil {
		s.report(c, err)
	}
}

// connect reaches tor and, if controllers do not do it themselves,
// authenticates the connection.
func (s *Server) connect(ctx context.Context) (conn net.Conn, version string, err error) {
	if conn, err = s.Dial(ctx); err != nil || s.Auth == nil {
		return conn, "", err
	}
	if version, err = s.Login.do(ctx, conn); err != nil {
		conn.Close()
		return nil, "", err
	}
	return conn, version, nil
}

func (s *Server) enter(conn net.Conn) (Controller, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID++
	s.active++
	limit := s.MaxControllers
	if limit == 0 {
		limit = 4096
	}
	return newController(s.lastID, conn), s.active <= limit
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active--
}

func (s *Server) report(c Controller, err error) {
	if s.OnError != nil {
		s.OnError(c, err)
	}
}

// sayGoodbye answers a controller that cannot be served. What it sends
// meanwhile is read, lest the kernel reset the connection under our answer.
func sayGoodbye(conn net.Conn, line string) {
	conn.SetDeadline(time.Now().Add(lingering))
	if _, err := conn.Write([]byte(line)); err != nil {
		return
	}
	closeWrite(conn)
	discard(conn)
}

func discard(conn net.Conn) {
	var buf [512]byte
	for {
		if _, err := conn.Read(buf[:]); err != nil {
			return
		}
	}
}

// closeWrite ends our direction of conn and leaves the other open.
func closeWrite(conn net.Conn) {
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		c.CloseWrite()
		return
	}
	conn.Close()
}
