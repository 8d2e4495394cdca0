package access

import (
	"errors"
	"net"
	"net/netip"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// typed takes the arguments of a command apart into the words that a profile
// names.
func typed(g grammar, cmd command) ([]string, error) {
	switch g {
	case options:
		list, err := settings(cmd.args)
		var out []string
		for _, s := range list {
			out = append(out, s.key)
			if s.set {
				out[len(out)-1] += "=" + s.value
			}
		}
		return out, err
	case onion:
		return onionWords(cmd.words()), nil
	case torrc:
		return torrcWords(cmd.data)
	case block:
		return cmd.words(), nil
	default:
		return cmd.words(), nil
	}
}

// onionWords are those of ADD_ONION with each flag by itself, and a target
// for every port.
func onionWords(args []string) []string {
	var out []string
	for _, w := range args {
		key, val, ok := strings.Cut(w, "=")
		switch {
		case ok && strings.EqualFold(key, "Flags"):
			for f := range strings.SplitSeq(val, ",") {
				out = append(out, "Flags="+f)
			}
		case ok && strings.EqualFold(key, "Port"):
			port, target := portTarget(val)
			out = append(out, "Port="+port+","+target)
		default:
			out = append(out, w)
		}
	}
	return out
}

// portTarget completes a port of an onion service: 80 is 80,127.0.0.1:80, 80,8080 is
// 80,127.0.0.1:8080, and an address without a port is at that of the service.
func portTarget(val string) (port, target string) {
	port, target, _ = strings.Cut(val, ",")
	if target == "" {
		target = port
	}
	host := strings.TrimSuffix(strings.TrimPrefix(target, "["), "]")
	switch _, err := netip.ParseAddr(host); {
	case isNumber(target):
		target = "127.0.0.1:" + target
	case err == nil || strings.Contains(target, ".") && !strings.ContainsAny(target, ":/"):
		target = net.JoinHostPort(host, port)
	}
	return port, target
}

var (
	errTorrc  = errors.New("lines of a configuration that continue, or include a file, are refused")
	errQuotes = errors.New("malformed quoted string")
)

// torrcWords reads a configuration file: OPTION=value for each line, without quotes
// and comments.
func torrcWords(data string) ([]string, error) {
	var out []string
	for line := range strings.Lines(data) {
		line = strings.Trim(line, " \t\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '%' || strings.HasSuffix(line, `\`) || strings.ContainsAny(line, "\r\v\f\x00") {
			return nil, errTorrc
		}
		key, val := line, ""
		if n := strings.IndexAny(line, " \t#"); n >= 0 {
			key, val = line[:n], strings.TrimLeft(line[n:], " \t")
		}
		rest := ""
		if strings.HasPrefix(val, `"`) {
			var err error
			if val, rest, err = controlspec.Unquote(val); err != nil || strings.Contains(val, "\x00") {
				return nil, errQuotes
			}
		} else {
			val, _, _ = strings.Cut(val, "#")
			val = strings.TrimRight(val, " \t")
		}
		if rest = strings.TrimLeft(rest, " \t"); rest != "" && rest[0] != '#' {
			return nil, errQuotes
		}
		out = append(out, strings.TrimLeft(key, "+/")+"="+val)
	}
	return out, nil
}

// canonical writes settings anew.
func canonical(args string) string {
	list, _ := settings(args)
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = s.key
		if s.set {
			out[i] += "=" + s.value
			if strings.HasPrefix(s.raw, `"`) {
				out[i] = s.key + "=" + controlspec.Quote(s.value)
			}
		}
	}
	return strings.Join(out, " ")
}

// hide keeps the secrets of a word out of an answer.
func hide(name, w string) string {
	if name == "ADD_ONION" && !strings.Contains(w, "=") && !strings.HasPrefix(w, "NEW:") ||
		strings.HasPrefix(name, "ONION_CLIENT_AUTH") && strings.HasPrefix(w, "x25519:") {
		kind, _, _ := strings.Cut(w, ":")
		return kind + ":..."
	}
	k, _, ok := strings.Cut(w, "=")
	if ok && name != "ADD_ONION" {
		return k
	}
	return w
}
