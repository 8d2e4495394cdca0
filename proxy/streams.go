package proxy

import (
	"context"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// StreamLeaver is an Engine that attaches streams itself, and so has tor leave
// all of them to controllers. It gives away those that are not its own; but when
// a controller wants to attach streams too, they are that controller's.
//
// tor reports no option as changed that has the value already, so what a
// controller asks for must be seen here.
type StreamLeaver interface {
	// LeaveStreams is called when tor has set __LeaveStreamsUnattached to 1 for a
	// controller, before the controller learns of it.
	LeaveStreams(ctx context.Context) error
}

const leaveStreams = "__LeaveStreamsUnattached"

// leavesStreams reports whether a SETCONF or RESETCONF of these words sets the option to 1.
func leavesStreams(words []string) bool {
	leaves := false
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		if strings.EqualFold(name, leaveStreams) {
			leaves = strings.Trim(value, `"`) == "1"
		}
	}
	return leaves
}

// loadsStreams reports whether a configuration of these lines sets the option to 1,
// as tor reads a torrc: comments, lines that go on behind a backslash, the last one
// counts, what is not named has its default.
func loadsStreams(data []byte) bool {
	leaves := false
	text := strings.ReplaceAll(strings.ReplaceAll(string(data), "\r\n", "\n"), "\\\n", "")
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) > 0 && strings.EqualFold(strings.TrimLeft(f[0], "+/"), leaveStreams) {
			leaves = f[0][0] != '/' && len(f) > 1 && strings.Trim(f[1], `"`) == "1"
		}
	}
	return leaves
}

// loadConf gives tor a configuration and tells the engine if that wants streams
// left.
func (s *session) loadConf(ctx context.Context, l controlspec.CommandLine) error {
	raw, err := s.gather(l)
	if err != nil {
		return err
	}
	rep, reply, err := s.ask(raw)
	if err != nil {
		return err
	}
	if rep.OK() && loadsStreams(raw) {
		s.leftStreams(ctx)
	}
	return s.out.say(reply)
}

// ownStreams gives tor the command and tells the engine.
func (s *session) ownStreams(ctx context.Context, l controlspec.CommandLine) error {
	rep, raw, err := s.ask(l.Raw)
	if err != nil {
		return err
	}
	if rep.OK() {
		s.leftStreams(ctx)
	}
	return s.out.say(raw)
}

// leftStreams tells the engine, if it cares.
func (s *session) leftStreams(ctx context.Context) {
	e, ok := s.srv.Engine.(StreamLeaver)
	if !ok {
		return
	}
	if err := e.LeaveStreams(ctx); err != nil {
		s.srv.report(s.ctl, err)
	}
}
