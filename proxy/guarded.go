package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/el-tor/tops/controlspec"
)

var errNotAuthenticated = errors.New("controller is not authenticated")

// askTor is the ask of a Guard.
func (s *session) askTor(cmd string) (controlspec.Reply, error) {
	authed, err := s.drain()
	if err != nil {
		return controlspec.Reply{}, err
	}
	if !authed {
		return controlspec.Reply{}, errNotAuthenticated
	}
	rep, _, err := s.ask([]byte(cmd + "\r\n"))
	return rep, err
}

// guarded handles a command of a controller that is held to a profile.
func (s *session) guarded(ctx context.Context, line controlspec.CommandLine) error {
	raw := line.Raw
	if line.Block {
		var err error
		if raw, err = s.gather(line); err != nil {
			return err
		}
	}
	out, reply, err := s.guard.Command(raw, s.askFunc)
	if err != nil {
		authed, derr := s.drain()
		if derr != nil {
			return derr
		}
		if authed {
			return s.sayError(err)
		}
		out = raw // tor says 514 and closes
	}
	if !line.Block {
		line.Raw = out
	} else {
		s.held = controlspec.NewCommandReader(bytes.NewReader(out))
		if line, err = s.readLine(); err != nil {
			return err
		}
	}
	if reply == nil {
		return s.dispatch(ctx, line)
	}
	return s.rewriting(ctx, line, reply)
}

// rewriting handles a command whose reply is rewritten. It waits for the end of
// that reply, since the next one is another's.
func (s *session) rewriting(ctx context.Context, line controlspec.CommandLine, reply func(controlspec.Line) []byte) error {
	authed, err := s.drain()
	if err != nil {
		return err
	}
	if authed {
		s.reply = reply
		defer func() { s.reply = nil }()
		s.take(passer{})
		defer s.take(nil)
	}
	if err := s.dispatch(ctx, line); err != nil {
		return err
	}
	for s.held != nil { // what was not used of the data block
		line, err := s.readLine()
		if err != nil {
			return err
		}
		if err := s.stage(line); err != nil {
			return err
		}
	}
	_, err = s.drain()
	return err
}

// take sets what takes tor's next reply, behind what rewrites it.
func (s *session) take(t taker) {
	if t != nil && s.reply != nil {
		t = &rewriter{f: s.reply, next: t}
	}
	s.mu.Lock()
	s.taker = t
	s.mu.Unlock()
}

// gather reads a command's data block, up to tor's own limit.
func (s *session) gather(line controlspec.CommandLine) ([]byte, error) {
	raw := bytes.Clone(line.Raw)
	for !line.End {
		var err error
		if line, err = s.readLine(); err != nil {
			return nil, err
		}
		if len(raw)+len(line.Raw) > controlspec.MaxCommand {
			return nil, s.tooLong()
		}
		raw = append(raw, line.Raw...)
	}
	return raw, nil
}

// tooLong says what tor says, and ends the listening as tor does.
func (s *session) tooLong() error {
	if _, err := s.drain(); err != nil {
		return err
	}
	if err := s.out.say([]byte("500 Line too long.\r\n")); err != nil {
		return err
	}
	closeWrite(s.tor)
	return io.EOF
}

// readLine reads the next line of what a guard let pass, else of what the
// controller says.
func (s *session) readLine() (controlspec.CommandLine, error) {
	if s.held == nil {
		return s.in.ReadLine()
	}
	line, err := s.held.ReadLine()
	if err != nil || line.End {
		s.held = nil
	}
	return line, err
}
