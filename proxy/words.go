package proxy

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

const (
	featureTerms = "PAYMENT_TERMS"
	infoPrefix   = "tops/"
	paymentConf  = "PAYMENT"
)

// maxPaidCommand bounds EXTENDPAIDCIRCUIT with its data block.
const maxPaidCommand = 16 << 10

// extendPaid answers both forms of EXTENDPAIDCIRCUIT.
func (s *session) extendPaid(ctx context.Context, cmd controlspec.Command, line controlspec.CommandLine) error {
	if !line.End {
		data, err := s.block()
		if err == errBlock {
			return s.sayError(controlspec.Errorf(512, "The data block of EXTENDPAIDCIRCUIT is malformed or above %d bytes", maxPaidCommand))
		}
		if err != nil {
			return err
		}
		cmd.Data = data
	}
	req, err := controlspec.ParseExtendPaidCircuit(cmd)
	if err != nil {
		return s.sayError(err)
	}
	var id string
	if !req.SelfPaid {
		id, err = s.srv.Engine.ExtendPaidCircuit(ctx, s.controller(), req.Path())
	} else if p, ok := s.srv.Engine.(SelfPayer); ok {
		id, err = p.ExtendSelfPaidCircuit(ctx, s.controller(), req.Hops)
	} else {
		err = controlspec.Errorf(551, "Circuits that the controller pays itself are not supported here; use EXTENDPAIDCIRCUIT 0 with a path")
	}
	return s.sayExtended(id, err)
}

func (s *session) sayExtended(id string, err error) error {
	if err != nil {
		return s.sayError(err)
	}
	if s.guard != nil {
		s.guard.Built(id)
	}
	return s.out.say(controlspec.AppendLine(nil, 250, ' ', "EXTENDED "+id))
}

var errBlock = controlspec.Errorf(512, "malformed data block")

// block gathers the data block that follows, to its end even if it is no good.
func (s *session) block() (string, error) {
	var data strings.Builder
	bad := false
	for {
		l, err := s.readLine()
		if err != nil {
			return "", err
		}
		if l.End {
			break
		}
		bad = bad || l.Check() != nil || data.Len()+len(l.Raw) > maxPaidCommand
		if bad {
			continue
		}
		text := strings.TrimRight(string(l.Raw), "\r\n")
		if l.Begin {
			text = strings.TrimPrefix(text, ".")
		}
		data.WriteString(text)
		if l.EOL {
			data.WriteByte('\n')
		}
	}
	if bad {
		return "", errBlock
	}
	return data.String(), nil
}

func isOurEvent(w string) bool {
	return strings.EqualFold(w, controlspec.EventPayStream) || strings.EqualFold(w, controlspec.EventReceived)
}

// setEvents keeps our names here and gives tor the rest, which may be none: it
// replaces the former list in any case.
func (s *session) setEvents(ours, rest []string) error {
	rep, raw, err := s.ask(lineOf("SETEVENTS", rest))
	if err != nil {
		return err
	}
	if !rep.OK() {
		return s.out.say(raw)
	}
	return s.subs.set(ours, raw)
}

// useFeature keeps PAYMENT_TERMS here and gives tor the rest.
func (s *session) useFeature(rest []string) error {
	raw := []byte("250 OK\r\n")
	if len(rest) > 0 {
		rep, torRaw, err := s.ask(lineOf("USEFEATURE", rest))
		if err != nil {
			return err
		}
		if !rep.OK() {
			return s.out.say(torRaw)
		}
		raw = torRaw
	}
	s.terms.Store(true)
	return s.out.say(raw)
}

// lineOf is a command of these words.
func lineOf(name string, words []string) []byte {
	return []byte(strings.Join(append([]string{name}, words...), " ") + "\r\n")
}

func isOurInfo(w string) bool { return strings.HasPrefix(w, infoPrefix) }

// getInfo answers our keys here. If there are others, tor's answer is streamed
// and ours are put between its lines, in the order asked.
func (s *session) getInfo(ctx context.Context, cmd controlspec.Command) error {
	var (
		sp   splicer
		rest []string
	)
	for w := range strings.SplitSeq(cmd.Args, " ") {
		switch {
		case w == "":
		case !isOurInfo(w):
			rest = append(rest, w)
			sp.before = append(sp.before, sp.after)
			sp.after = nil
		default:
			val, ok, err := s.srv.Engine.Info(ctx, strings.TrimPrefix(w, infoPrefix))
			if err != nil {
				return s.sayError(err)
			}
			if !ok {
				return s.sayError(controlspec.Errorf(552, "Unrecognized key %s", controlspec.Quote(w)))
			}
			sp.after = appendInfo(sp.after, w, val)
		}
	}
	if len(rest) == 0 {
		return s.out.say(append(sp.after, "250 OK\r\n"...))
	}
	var t taker = &sp
	if slices.Contains(rest, wholeConfig) {
		t = &rewriter{f: withoutWallet, next: t}
	}
	return s.hand(lineOf("GETINFO", rest), t)
}

func appendInfo(b []byte, key, val string) []byte {
	if strings.ContainsAny(val, "\r\n") {
		b = controlspec.AppendLine(b, 250, '+', key+"=")
		return controlspec.AppendData(b, val)
	}
	return controlspec.AppendLine(b, 250, '-', key+"="+val)
}

// checkAttach asks whether tor may see an ATTACHSTREAM. One that does not parse
// is tor's to refuse.
func (s *session) checkAttach(cmd controlspec.Command) error {
	w := words(cmd.Args)
	if len(w) < 2 || w[1] == "0" {
		return nil
	}
	hop := 0
	for _, arg := range w[2:] {
		if k, v, _ := strings.Cut(arg, "="); strings.EqualFold(k, "HOP") {
			n, err := strconv.Atoi(v)
			if err != nil {
				return nil
			}
			hop = n
		}
	}
	return s.srv.Attach.CheckAttach(w[0], w[1], hop)
}

// extend offers an EXTENDCIRCUIT 0 for an upgrade.
func (s *session) extend(ctx context.Context, cmd controlspec.Command, l controlspec.CommandLine) error {
	var (
		path    []string
		purpose string
	)
	for _, w := range words(cmd.Args)[1:] {
		if k, v, ok := strings.Cut(w, "="); ok && strings.EqualFold(k, "purpose") {
			purpose = v
		} else if path == nil {
			path = strings.Split(w, ",")
		}
	}
	id, upgraded, err := s.srv.Upgrade.Upgrade(ctx, s.controller(), path, purpose)
	if err == nil && !upgraded {
		return s.stage(l)
	}
	return s.sayExtended(id, err)
}
