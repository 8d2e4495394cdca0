package proxy

import (
	"bytes"
	"context"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// rule answers one command, in a drained and authenticated session.
type rule func(context.Context, controlspec.CommandLine) error

// ruleFor returns the rule for cmd, nil if it is tor's alone.
func (s *session) ruleFor(w word, cmd controlspec.Command) rule {
	switch w {
	case wordExtendPaid:
		return func(ctx context.Context, l controlspec.CommandLine) error { return s.extendPaid(ctx, cmd, l) }
	case wordSetEvents:
		ours, rest := splitWords(cmd.Args, isOurEvent)
		if len(ours) > 0 || s.subs.any() {
			return func(context.Context, controlspec.CommandLine) error { return s.setEvents(ours, rest) }
		}
	case wordUseFeature:
		ours, rest := splitWords(cmd.Args, func(w string) bool { return strings.EqualFold(w, featureTerms) })
		if len(ours) > 0 && s.srv.Terms != nil {
			return func(context.Context, controlspec.CommandLine) error { return s.useFeature(rest) }
		}
	case wordGetInfo:
		if ours, _ := splitWords(cmd.Args, isOurInfo); len(ours) > 0 {
			return func(ctx context.Context, _ controlspec.CommandLine) error { return s.getInfo(ctx, cmd) }
		}
	case wordGetConf:
		if s.srv.Conf != nil {
			if ours, _ := splitWords(cmd.Args, isPayment); len(ours) > 0 {
				return func(ctx context.Context, _ controlspec.CommandLine) error { return s.getConf(ctx, cmd) }
			}
		}
	case wordSetConf, wordResetConf:
		if s.srv.Conf != nil {
			if ours, rest := splitWords(cmd.Args, isPayment); len(ours) > 0 {
				return func(ctx context.Context, _ controlspec.CommandLine) error {
					return s.setConf(ctx, cmd.Name, ours, rest)
				}
			}
		}
		if leavesStreams(words(cmd.Args)) {
			return s.ownStreams
		}
	case wordLoadConf:
		if _, ok := s.srv.Engine.(StreamLeaver); ok {
			return s.loadConf
		}
	case wordAttach:
		if s.srv.Attach != nil {
			if err := s.checkAttach(cmd); err != nil {
				return func(context.Context, controlspec.CommandLine) error { return s.sayError(err) }
			}
		}
	case wordExtend:
		if s.srv.Upgrade != nil && (s.guard == nil || s.guard.Pays()) && (cmd.Args == "0" || strings.HasPrefix(cmd.Args, "0 ")) {
			return func(ctx context.Context, l controlspec.CommandLine) error { return s.extend(ctx, cmd, l) }
		}
	}
	return nil
}

// mayHaveInfo finds quickly that a GETINFO, the most frequent command, is not ours.
func mayHaveInfo(raw []byte) bool {
	return bytes.IndexByte(raw, '/') >= 0 && bytes.Contains(raw, []byte(infoPrefix))
}

// splitWords splits s at blanks outside quotes into the words that are ours and
// the rest, as they were written.
func splitWords(s string, isOurs func(string) bool) (ours, rest []string) {
	for _, w := range words(s) {
		if isOurs(w) {
			ours = append(ours, w)
		} else {
			rest = append(rest, w)
		}
	}
	return ours, rest
}

func words(s string) []string {
	var out []string
	start, quoted := -1, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ' ' && !quoted:
			if start >= 0 {
				out = append(out, s[start:i])
			}
			start = -1
			continue
		}
		if start < 0 {
			start = i
		}
	}
	if start >= 0 {
		out = append(out, s[start:])
	}
	return out
}
