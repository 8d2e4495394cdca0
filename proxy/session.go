package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/el-tor/tops/controlspec"
)

// session is one controller and its connection to tor. One goroutine carries
// commands, one replies; what they share is below mu.
type session struct {
	srv    *Server
	ctl    Controller
	client net.Conn
	tor    net.Conn
	in     *controlspec.CommandReader
	out    downstream
	door   *door // nil: tor authenticates the controller

	guard   Guard                                   // nil: the controller may do what tor lets it
	askFunc func(string) (controlspec.Reply, error) // askTor
	held    *controlspec.CommandReader              // what the guard let pass; nil: nothing is left
	reply   func(controlspec.Line) []byte           // rewrites the reply to the command at hand; nil: none

	up     []byte // commands not yet written to tor
	staged uint64 // how many of them
	unsure bool   // tor may have left a command unanswered
	fork   bool   // tor is El Tor's, if forkKnown

	forkKnown bool

	terms atomic.Bool // USEFEATURE PAYMENT_TERMS
	subs  subscription

	mu       sync.Mutex
	answer   sync.Cond // signalled when answered or ended changes
	sent     uint64    // commands written to tor
	answered uint64    // replies seen from it
	authAt   uint64    // which command was AUTHENTICATE; 0: none yet
	authed   bool      // tor accepted it
	taker    taker     // takes tor's next reply; nil: it just passes
	ended    bool      // tor will say no more
}

func newSession(srv *Server, c Controller, client, tor net.Conn) *session {
	s := &session{srv: srv, ctl: c, client: client, tor: tor, in: controlspec.NewCommandReader(client)}
	s.out.conn, s.out.whole, s.out.timeout = client, true, srv.StallTimeout
	s.answer.L = &s.mu
	s.subs.session = s
	return s
}

// controller is who spends: its profile may have changed since it came.
func (s *session) controller() Controller {
	c := s.ctl
	if s.guard != nil {
		c.Profile = s.guard.Profile()
	}
	return c
}

// knock waits until the controller has authenticated itself to us.
func (s *session) knock() error {
	s.client.SetReadDeadline(time.Now().Add(knocking))
	if err := s.door.admit(s.in, s.client); err != nil {
		return err
	}
	s.client.SetReadDeadline(time.Time{})
	s.authed = true
	return s.sayOK()
}

// run carries bytes both ways until tor has closed its end, or the controller
// is gone.
func (s *session) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	hangUp := func() {
		s.client.Close()
		s.tor.Close()
	}
	context.AfterFunc(ctx, hangUp)
	defer func() {
		cancel()
		hangUp()
		s.subs.close()
	}()

	replies := make(chan error, 1)
	go func() {
		err := s.carryReplies()
		s.mu.Lock()
		s.ended = true
		s.answer.Broadcast()
		s.mu.Unlock()
		if err != nil {
			cancel() // the controller cannot be written to
		} else {
			// Tor's last words are in the kernel's hands. Give the controller
			// time to read them, and wake up carryCommands.
			closeWrite(s.client)
			s.client.SetReadDeadline(time.Now().Add(lingering))
		}
		replies <- err
	}()

	err := s.carryCommands(ctx)
	if err == nil {
		closeWrite(s.tor) // half-close: tor answers what it has, and closes
	} else {
		cancel()
	}
	return errors.Join(ignoreClosed(err), ignoreClosed(<-replies))
}

// ignoreClosed drops the errors of connections that ended as connections do.
func ignoreClosed(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || isReset(err) {
		return nil
	}
	return err
}

// flushUp writes the staged commands to tor.
func (s *session) flushUp() error {
	if len(s.up) == 0 {
		return nil
	}
	s.mu.Lock()
	s.sent += s.staged
	s.mu.Unlock()
	s.staged = 0
	_, err := s.tor.Write(s.up)
	if s.up = s.up[:0]; cap(s.up) > chunkSmall {
		s.up = nil
	}
	return err
}

// drain waits until tor has answered everything and reports whether it still
// listens and has authenticated the controller.
func (s *session) drain() (authed bool, err error) {
	if err := s.flushUp(); err != nil {
		return false, err
	}
	if s.unsure {
		s.unsure = false
		if err := s.hand(syncCommand, &syncer{}); err != nil {
			return false, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.answered < s.sent && !s.ended {
		s.answer.Wait()
	}
	if s.ended {
		return false, io.EOF
	}
	return s.authed, nil
}

// hand sends one command to tor and has t take what tor says until t is done.
// But for a syncer, the session must be drained.
func (s *session) hand(cmd []byte, t taker) error {
	s.take(t)
	s.up = append(s.up, cmd...)
	s.staged++
	_, err := s.drain()
	return err
}

// ask sends one command to tor and gathers the reply, for short ones.
func (s *session) ask(cmd []byte) (controlspec.Reply, []byte, error) {
	var g gatherer
	if err := s.hand(cmd, &g); err != nil {
		return controlspec.Reply{}, nil, err
	}
	if g.full {
		return controlspec.Reply{}, nil, controlspec.ErrTooLong
	}
	rep, err := controlspec.ParseReply(g.raw)
	return rep, g.raw, err
}
