package access

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
)

// match says whom a profile is for. Each list that is not nil must have the
// controller's; "*" is anything.
type match struct {
	local, remote bool // for controllers on this machine, on others

	users     []string
	programs  []string // onion-grater's: AppArmor profile or executable
	exes      []string
	apparmor  []string
	hosts     []netip.Prefix // remote only
	listeners []string
}

func (m match) matches(id Identity) bool {
	if !has(m.listeners, id.Listener) {
		return false
	}
	if !id.Local {
		return m.remote && slices.ContainsFunc(m.hosts, func(p netip.Prefix) bool { return p.Contains(id.Addr.Addr().Unmap()) })
	}
	return m.local && has(m.users, id.User) && has(m.programs, id.program()) && has(m.exes, id.Exe) && has(m.apparmor, id.AppArmor)
}

// overlaps reports whether some controller could match both.
func (m match) overlaps(o match) bool {
	if !meet(m.listeners, o.listeners) {
		return false
	}
	if m.local && o.local && meet(m.users, o.users) && meet(m.programs, o.programs) && meet(m.exes, o.exes) && meet(m.apparmor, o.apparmor) {
		return true
	}
	return m.remote && o.remote && slices.ContainsFunc(m.hosts, func(p netip.Prefix) bool {
		return slices.ContainsFunc(o.hosts, p.Overlaps)
	})
}

func has(list []string, s string) bool {
	return list == nil || slices.Contains(list, "*") || s != "" && slices.Contains(list, s)
}

func meet(a, b []string) bool {
	return a == nil || b == nil || slices.Contains(a, "*") || slices.Contains(b, "*") ||
		slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// parseHosts reads addresses and prefixes; "*" is every one.
func parseHosts(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, h := range list {
		if h == "*" {
			out = append(out, netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0))
			continue
		}
		if a, err := netip.ParseAddr(h); err == nil {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(h)
		if err != nil {
			return nil, fmt.Errorf("host %q is neither an address nor a prefix", h)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// normalUsers gives users their names, so that "0" and "root" are one.
func normalUsers(list []string) []string {
	out := slices.Clone(list)
	for i, u := range out {
		if n, err := strconv.ParseUint(u, 10, 32); err == nil {
			out[i] = userName(uint32(n))
		}
	}
	return out
}

// normalListeners makes "unix:/a//b" and "/a/b" one.
func normalListeners(list []string) []string {
	out := slices.Clone(list)
	for i, l := range out {
		out[i] = normalListener(l)
	}
	return out
}

func normalListener(l string) string {
	if len(l) > 5 && l[:5] == "unix:" {
		l = l[5:]
	}
	if len(l) > 0 && l[0] == '/' {
		return filepath.Clean(l)
	}
	return l
}
