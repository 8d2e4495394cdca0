package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"syscall"

	"github.com/el-tor/tops/controlspec"
)

// carryCommands passes what the controller says to tor, and answers what is
// ours. It returns nil when the controller has said all, or when tor is gone.
func (s *session) carryCommands(ctx context.Context) error {
	for {
		if !s.in.Buffered() {
			if err := s.flushUp(); err != nil {
				break
			}
		}
		line, err := s.readLine()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			if s.gone() {
				return nil
			}
			return err
		}
		if err := s.command(ctx, line); err != nil {
			break
		}
	}
	// After QUIT, or without tor, the rest is not listened to; but it is read,
	// lest the kernel reset the connection under tor's last words.
	discard(s.client)
	return nil
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// gone reports whether tor will say no more.
func (s *session) gone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// stage passes a line on to tor, soon.
func (s *session) stage(line controlspec.CommandLine) error {
	s.up = append(s.up, line.Raw...)
	if line.End {
		s.staged++
	}
	if len(s.up) >= chunkLarge/2 {
		return s.flushUp()
	}
	return nil
}

// errNoArguments is said in tor's stead: tor 0.4.9.11 dies of such a line.
var errNoArguments error = controlspec.Errorf(512, "Bad arguments to SETCIRCUITPURPOSE: Need at least 1 argument(s)")

// command handles one line. An error ends the listening to the controller.
func (s *session) command(ctx context.Context, line controlspec.CommandLine) error {
	if s.guard != nil && !line.EOL { // it cannot be judged, and tor would not obey it
		if len(line.Raw) < controlspec.MaxCommand {
			return io.EOF
		}
		return s.tooLong()
	}
	if line.Data || !line.Begin || !line.EOL {
		return s.stage(line)
	}
	w := wordOf(line.Raw)
	err := line.Check()
	if err == nil && w == wordSetPurpose && len(bytes.Fields(line.Raw)) == 1 {
		err = errNoArguments
	}
	if err != nil {
		authed, derr := s.drain()
		if derr != nil {
			return derr
		}
		if !authed {
			return s.stage(line)
		}
		if err != errNoArguments {
			err = controlspec.Errorf(500, "Syntax error: %v", err)
		}
		return s.refuse(line, err)
	}
	if s.guard != nil {
		return s.guarded(ctx, line)
	}
	return s.dispatch(ctx, line)
}

// dispatch passes a command to tor, or to the rule that answers it here.
func (s *session) dispatch(ctx context.Context, line controlspec.CommandLine) error {
	w := wordOf(line.Raw)
	switch w {
	case wordNone, wordSetPurpose:
		return s.stage(line)
	case wordProtocolInfo, wordAuthenticate:
		if s.door != nil {
			return s.atDoor(line)
		}
		if w == wordProtocolInfo {
			return s.stage(line)
		}
		s.mu.Lock()
		if s.authAt == 0 {
			s.authAt = s.sent + s.staged + 1
		}
		s.mu.Unlock()
		return s.stage(line)
	case wordHSPost:
		s.unsure = true
		return s.stage(line)
	case wordQuit:
		s.stage(line)
		s.flushUp()
		return io.EOF
	}
	if w == wordExtendPaid && s.srv.Engine == nil {
		return s.extendUnaided(line)
	}
	if s.asksForWallet(w, line.Raw) {
		return s.askRedacted(line)
	}
	if s.srv.Engine == nil || w == wordGetInfo && !mayHaveInfo(line.Raw) {
		return s.stage(line)
	}
	cmd := controlspec.ParseCommand(string(line.Raw))
	rule := s.ruleFor(w, cmd)
	if rule == nil {
		return s.stage(line)
	}
	authed, err := s.drain()
	if err != nil {
		return err
	}
	if !authed {
		return s.stage(line) // tor says 514 and closes
	}
	return rule(ctx, line)
}

// atDoor answers what concerns authentication, which may be asked again, for a
// controller that we have let in.
func (s *session) atDoor(line controlspec.CommandLine) error {
	if _, err := s.drain(); err != nil {
		return err
	}
	s.door.asked = false
	reply, in, err := s.door.answer(controlspec.ParseCommand(string(line.Raw)))
	if in {
		return s.sayOK()
	}
	if werr := s.out.say(reply); werr != nil {
		return werr
	}
	if err != nil {
		closeWrite(s.tor) // and so the connection ends
	}
	return err
}

// refuse answers a line that is not passed to tor, and reads its data block.
func (s *session) refuse(line controlspec.CommandLine, err error) error {
	for !line.End {
		var rerr error
		if line, rerr = s.readLine(); rerr != nil {
			return rerr
		}
	}
	return s.sayError(err)
}

// sayError answers a command with err, as far as a controller may know it.
func (s *session) sayError(err error) error {
	var re *controlspec.ReplyError
	if !errors.As(err, &re) {
		s.srv.report(s.ctl, err)
		re = controlspec.Errorf(551, "Internal error of tops, see its log")
	}
	return s.out.say(controlspec.AppendLine(nil, re.Code, ' ', re.Text))
}

func (s *session) sayOK() error { return s.out.say([]byte("250 OK\r\n")) }
