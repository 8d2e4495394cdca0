package proxy

import (
	"bytes"
	"slices"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// What stands here is for El Tor's fork of tor, when no Engine answers in its stead:
// it dies of an EXTENDPAIDCIRCUIT that is not just right, and tells every controller
// the passwords of wallets.

// extendUnaided gives the fork a circuit that the controller pays, once it is sure
// that tor will live. Any other tor gets the command as it is.
func (s *session) extendUnaided(line controlspec.CommandLine) error {
	raw := bytes.Clone(line.Raw)
	if line.Block {
		var err error
		if raw, err = s.gather(line); err != nil {
			return err
		}
	}
	authed, err := s.drain()
	if err != nil {
		return err
	}
	if authed && !s.forkKnown {
		rep, _, err := s.ask([]byte("GETINFO events/names\r\n"))
		if err != nil {
			return err
		}
		names := strings.Fields(rep.Values()["events/names"])
		s.fork, s.forkKnown = slices.Contains(names, controlspec.EventReceived), true
	}
	if !authed || !s.fork {
		return s.hand(raw, passer{})
	}
	cmd, err := controlspec.NewCommandReader(bytes.NewReader(raw)).ReadCommand()
	if err != nil {
		return s.sayError(controlspec.Errorf(512, "The data block of EXTENDPAIDCIRCUIT is malformed"))
	}
	req, err := controlspec.ParseExtendPaidCircuit(cmd)
	if err == nil && !req.SelfPaid {
		err = controlspec.Errorf(551, "This tops pays nobody: bring the payment ids in a data block")
	}
	if err == nil {
		err = controlspec.CheckRouters(req.Path(), func(cmd string) (controlspec.Reply, error) {
			rep, _, err := s.ask([]byte(cmd + "\r\n"))
			return rep, err
		})
	}
	if err != nil {
		return s.sayError(err)
	}
	return s.hand(req.Command().Append(nil), passer{})
}

// walletOption is the option of the fork that holds passwords.
const walletOption = "PaymentLightningNodeConfig"

// wholeConfig is the key of GETINFO whose value has all options.
const wholeConfig = "config-text"

// asksForWallet reports whether tor's answer could hold them. It takes the beginning
// of an option's name for the name.
func (s *session) asksForWallet(w word, raw []byte) bool {
	switch {
	case w == wordGetInfo: // among keys of ours it is redacted where they are answered
		return bytes.Contains(raw, []byte(wholeConfig)) && (s.srv.Engine == nil || !mayHaveInfo(raw))
	case w == wordGetConf && s.srv.Conf == nil:
		return slices.ContainsFunc(words(controlspec.ParseCommand(string(raw)).Args), func(name string) bool {
			return name != "" && len(name) <= len(walletOption) && strings.EqualFold(walletOption[:len(name)], name)
		})
	}
	return false
}

// mayTellWallet reports whether a line of tor's could hold them that nobody asked for:
// one of CONF_CHANGED, the only event of many lines.
func mayTellWallet(l controlspec.Line) bool { return l.Async && l.Sep == '-' }

// askRedacted gives tor a command and takes the passwords out of the answer.
func (s *session) askRedacted(line controlspec.CommandLine) error {
	if _, err := s.drain(); err != nil {
		return err
	}
	return s.hand(bytes.Clone(line.Raw), &rewriter{f: withoutWallet, next: passer{}})
}

// withoutWallet is a line of tor's without a wallet's secrets. What kind of wallet
// it is may be known.
func withoutWallet(l controlspec.Line) []byte {
	at := indexFold(l.Raw, walletOption)
	if at < 0 {
		return l.Raw
	}
	at += len(walletOption)
	value := strings.TrimRight(string(l.Raw[at:]), "\r\n")
	if value == "" {
		return l.Raw
	}
	kept := []string{}
	for _, w := range strings.Fields(strings.Trim(value[1:], `"`)) {
		if k, _, _ := strings.Cut(w, "="); k == "type" || k == "default" {
			kept = append(kept, w)
		}
	}
	kept = append(kept, "[redacted]")
	return []byte(string(l.Raw[:at]) + value[:1] + strings.Join(kept, " ") + "\r\n")
}

func indexFold(raw []byte, what string) int {
	return strings.Index(strings.ToLower(string(raw)), strings.ToLower(what))
}
