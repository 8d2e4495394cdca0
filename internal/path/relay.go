package path

import (
	"net/netip"
	"slices"
	"strings"
)

// Relay is what the consensus says of a relay (dir-spec §3.4.1).
type Relay struct {
	Fingerprint string // 40 upper-case hex digits
	Nickname    string
	Addrs       []netip.AddrPort // of its ORPorts, IPv4 first
	Flags       []string
	Bandwidth   int64 // kilobytes a second, as measured
}

// Is reports whether the relay has a flag.
func (r Relay) Is(flag string) bool { return slices.Contains(r.Flags, flag) }

// Family is what a relay says of its operator's other relays.
type Family struct {
	Members []string // $FINGERPRINT, or nicknames
	IDs     []string // keys of families that it has proven to belong to
}

// ParseFamily reads the family lines of a microdescriptor or a server descriptor
// (dir-spec §2.1.1, §3.3). A server descriptor has no proven ones.
func ParseFamily(descriptor string) (f Family) {
	for line := range strings.Lines(descriptor) {
		words := strings.Fields(line)
		switch {
		case len(words) < 2:
		case words[0] == "family":
			f.Members = append(f.Members, words[1:]...)
		case words[0] == "family-ids":
			f.IDs = append(f.IDs, words[1:]...)
		}
	}
	return f
}

// lists reports whether a family names a relay. Only what both say counts, so that
// nobody can claim others for his family.
func (f Family) lists(r Relay) bool {
	return slices.ContainsFunc(f.Members, func(m string) bool { return named(m, r) })
}

// related reports whether two relays say that one operator has both.
func related(a, b Relay, fa, fb Family) bool {
	if fa.lists(b) && fb.lists(a) {
		return true
	}
	return slices.ContainsFunc(fa.IDs, func(id string) bool { return slices.Contains(fb.IDs, id) })
}

// named reports whether a name means a relay: $FINGERPRINT with or without =nickname
// or ~nickname behind, the same without $, or a nickname.
func named(name string, r Relay) bool {
	name, dollar := strings.CutPrefix(name, "$")
	hex, _, _ := strings.Cut(strings.ReplaceAll(name, "~", "="), "=")
	if len(hex) == 40 && strings.EqualFold(hex, r.Fingerprint) {
		return true
	}
	return !dollar && strings.EqualFold(name, r.Nickname)
}

// The networks of which a circuit has one relay only.
const (
	networkIPv4 = 16
	networkIPv6 = 32
)

// neighbours reports whether two relays are in one network.
func neighbours(a, b Relay) bool {
	for _, x := range a.Addrs {
		bits := networkIPv4
		if x.Addr().Is6() {
			bits = networkIPv6
		}
		network, err := x.Addr().Prefix(bits)
		if err != nil {
			continue // no address at all
		}
		if slices.ContainsFunc(b.Addrs, func(y netip.AddrPort) bool { return network.Contains(y.Addr()) }) {
			return true
		}
	}
	return false
}
