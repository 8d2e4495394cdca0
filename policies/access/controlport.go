package access

import (
	"net"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// awayFromControl refuses what would make a control port an onion service:
// whoever reached it would rule tor. tor is asked where it listens, every time.
func (g *Guard) awayFromControl(p *Profile, cmd command, v verdict) verdict {
	if v.line != "" {
		if again, err := cut([]byte(v.line)); err == nil {
			again.data, cmd = cmd.data, again
		}
	}
	targets, plain := onionTargets(cmd)
	if !plain {
		return p.refuse(v.pos, "%s refused: an onion service has a port, and then a port, an address or a socket", cmd.name)
	}
	if len(targets) == 0 {
		return v
	}
	v.fixed = false
	ports, paths := g.controlPorts()
	for _, t := range targets {
		if g.isControl(t, ports, paths) {
			return p.refuse(v.pos, "%s refused: an onion service must not point at a control port", cmd.name)
		}
	}
	return v
}

// isControl reports whether a target is one of ports, on whatever address: names
// and interfaces of this machine are many. A remote controller's own machine is not
// this one.
func (g *Guard) isControl(target string, ports, paths map[string]bool) bool {
	if path, ok := strings.CutPrefix(target, "unix:"); ok {
		return paths[realPath(path)]
	}
	host, port, _ := net.SplitHostPort(target)
	if !ports[strings.TrimLeft(port, "0")] {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err != nil || g.id.Local || ip.Unmap() != g.id.Addr.Addr().Unmap()
}

// onionTargets are where the onion services of a command lead; plain: there is no
// target that tor may read in another way than we do.
func onionTargets(cmd command) (out []string, plain bool) {
	plain = true
	add := func(val string) {
		port, target := portTarget(val)
		t, ok := plainTarget(port, target)
		out, plain = append(out, t), plain && ok
	}
	option := func(key, val string) {
		if abbreviates(key, "HiddenServicePort") && val != "" {
			port, target, _ := strings.Cut(strings.TrimSpace(val), " ")
			add(port + "," + strings.TrimSpace(target))
		}
	}
	switch cmd.name {
	case "ADD_ONION":
		for _, w := range cmd.words() {
			if k, v, ok := strings.Cut(w, "="); ok && strings.EqualFold(k, "Port") {
				add(v)
			}
		}
	case "SETCONF", "RESETCONF":
		list, _ := settings(cmd.args)
		for _, s := range list {
			option(s.key, s.value)
		}
	case "LOADCONF":
		list, _ := torrcWords(cmd.data)
		for _, s := range list {
			k, v, _ := strings.Cut(s, "=")
			option(k, v)
		}
	}
	return out, plain
}

// abbreviates reports whether tor may take a key for an option: it does so with what
// the name begins with.
func abbreviates(key, option string) bool {
	return len(key) <= len(option) && strings.EqualFold(key, option[:len(key)])
}

// plainTarget undoes the quotes of a target and reports whether it is one that can
// be read in one way.
func plainTarget(port, target string) (string, bool) {
	if path, ok := strings.CutPrefix(target, "unix:"); ok {
		rest := ""
		if strings.HasPrefix(path, `"`) {
			path, rest, _ = controlspec.Unquote(path)
		}
		return "unix:" + path, isNumber(port) && rest == "" && filepath.IsAbs(path)
	}
	_, to, err := net.SplitHostPort(target)
	return target, isNumber(port) && isNumber(to) && err == nil
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// controlPorts are the ports and sockets of control ports: tor's by default and
// as it listens now, and the one that the controller came by.
func (g *Guard) controlPorts() (ports, paths map[string]bool) {
	ports, paths = map[string]bool{"9051": true, "9151": true}, map[string]bool{realPath("/run/tor/control"): true}
	addrs := []string{g.id.Listener}
	if g.ask != nil {
		if rep, err := g.ask("GETINFO net/listeners/control"); err == nil && rep.OK() {
			args, _ := controlspec.ParseArgs(rep.Values()["net/listeners/control"])
			for _, a := range args {
				addrs = append(addrs, a.Value)
			}
		}
	}
	for _, a := range addrs {
		a = strings.TrimPrefix(a, "unix:")
		if strings.HasPrefix(a, "/") {
			paths[realPath(a)] = true
		} else if _, port, err := net.SplitHostPort(a); err == nil {
			ports[port] = true
		}
	}
	return ports, paths
}

func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return filepath.Clean(path)
}
