package proxy

import (
	"context"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// isPayment reports whether a word names one of El Tor's options.
func isPayment(w string) bool {
	return len(w) >= len(paymentConf) && strings.EqualFold(w[:len(paymentConf)], paymentConf)
}

// getConf answers Payment options among tor's. Each run of tor's keys is asked
// for by itself, since an option may take any number of lines.
func (s *session) getConf(ctx context.Context, cmd controlspec.Command) error {
	var (
		all  controlspec.Reply
		keys []string
	)
	askTor := func() (raw []byte, err error) {
		if len(keys) == 0 {
			return nil, nil
		}
		rep, raw, err := s.ask(lineOf("GETCONF", keys))
		if err != nil {
			return nil, err
		}
		if !rep.OK() {
			return raw, nil
		}
		all.Lines, keys = append(all.Lines, rep.Lines...), nil
		return nil, nil
	}
	for _, w := range words(cmd.Args) {
		if !isPayment(w) {
			keys = append(keys, w)
			continue
		}
		if refused, err := askTor(); err != nil {
			return err
		} else if refused != nil {
			return s.out.say(refused)
		}
		name, values, ok := s.srv.Conf.Get(ctx, w)
		if !ok {
			return s.sayError(controlspec.Errorf(552, "Unrecognized configuration key %s", controlspec.Quote(w)))
		}
		if len(values) == 0 {
			all.Lines = append(all.Lines, controlspec.ReplyLine{Code: 250, Text: name})
		}
		for _, v := range values {
			all.Lines = append(all.Lines, controlspec.ReplyLine{Code: 250, Text: name + "=" + confValue(v)})
		}
	}
	if refused, err := askTor(); err != nil {
		return err
	} else if refused != nil {
		return s.out.say(refused)
	}
	for i := range all.Lines {
		all.Lines[i].Sep = '-'
	}
	all.Lines[len(all.Lines)-1].Sep = ' '
	return s.out.say(all.Append(nil))
}

// confValue writes a value as tor's GETCONF does: quoted only when it has to be.
func confValue(v string) string {
	if strings.ContainsAny(v, "\"\\\r\n\t") || strings.TrimSpace(v) != v {
		return controlspec.Quote(v)
	}
	return v
}

// setConf gives tor its options and the engine ours: all or none.
func (s *session) setConf(ctx context.Context, name string, ours, rest []string) error {
	var changes []controlspec.ConfChange
	for _, w := range ours {
		args, err := controlspec.ParseArgs(w)
		if err != nil || len(args) != 1 {
			return s.sayError(controlspec.Errorf(513, "Syntax error in the value of a Payment option"))
		}
		c := controlspec.ConfChange{Key: args[0].Key, Value: args[0].Value, Set: args[0].HasKey}
		if !c.Set {
			c.Key, c.Value = args[0].Value, ""
		}
		changes = append(changes, c)
	}
	commit, err := s.srv.Conf.Prepare(ctx, s.controller(), changes)
	if err != nil {
		return s.sayError(err)
	}
	if len(rest) > 0 {
		rep, raw, err := s.ask(lineOf(name, rest))
		if err != nil {
			return err
		}
		if !rep.OK() {
			return s.out.say(raw)
		}
		if leavesStreams(rest) {
			s.leftStreams(ctx)
		}
	}
	if err := commit(); err != nil {
		return s.sayError(err)
	}
	return s.sayOK()
}
