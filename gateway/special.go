package gateway

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// special4 are the IPv4 blocks that no exit connects to: the IANA registry of
// special-purpose addresses, multicast, and what clouds answer their own
// machines on.
var special4 = prefixes(
	"0.0.0.0/8",          // this network, RFC 791
	"10.0.0.0/8",         // private, RFC 1918
	"100.64.0.0/10",      // carrier-grade NAT, RFC 6598
	"127.0.0.0/8",        // loopback, RFC 1122
	"168.63.129.16/32",   // a cloud's machine agent, on a public address
	"169.254.0.0/16",     // link-local, RFC 3927; cloud metadata
	"172.16.0.0/12",      // private, RFC 1918
	"192.0.0.0/24",       // protocol assignments, RFC 6890
	"192.0.2.0/24",       // documentation, RFC 5737
	"192.88.99.0/24",     // 6to4 relays, RFC 7526
	"192.168.0.0/16",     // private, RFC 1918
	"198.18.0.0/15",      // benchmarking, RFC 2544
	"198.51.100.0/24",    // documentation, RFC 5737
	"203.0.113.0/24",     // documentation, RFC 5737
	"224.0.0.0/4",        // multicast, RFC 5771
	"240.0.0.0/4",        // reserved, RFC 1112
	"255.255.255.255/32", // broadcast, RFC 919
)

// special6 are the blocks to refuse within global6, the only part of IPv6 that
// is unicast and global; NAT64 is outside of it and has its own rule.
var (
	global6  = netip.MustParsePrefix("2000::/3")
	special6 = prefixes(
		"2001::/23",     // protocol assignments, RFC 2928: Teredo, benchmarking, ORCHID
		"2001:db8::/32", // documentation, RFC 3849
		"3fff::/20",     // documentation, RFC 9637
	)
	nat64  = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixTo4 = netip.MustParsePrefix("2002::/16")    // RFC 3056
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// specialUse reports whether nobody may be connected to at a, by what kind of
// address it is. An address that embeds another is judged by that one too: see
// [meanings].
func specialUse(a netip.Addr) bool {
	if a.Zone() != "" || a.Is4In6() {
		return true // no zone leads anywhere global; a mapped address is judged unmapped
	}
	list := special4
	if a.Is6() {
		if nat64.Contains(a) {
			return false
		}
		if !global6.Contains(a) {
			return true
		}
		list = special6
	}
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return !a.IsValid()
}

// meanings lists a and the IPv4 address that a packet to it may end up at.
// (Teredo is refused as a whole, and so are local NAT64 and the other
// translations outside 2000::/3.)
func meanings(a netip.Addr) []netip.Addr {
	a = a.Unmap()
	if a.Is4() || !a.IsValid() {
		return []netip.Addr{a}
	}
	b := a.As16()
	v4 := func(at int) netip.Addr { return netip.AddrFrom4([4]byte(b[at : at+4])) }
	switch isatap := binary.BigEndian.Uint32(b[8:12]); {
	case nat64.Contains(a):
		return []netip.Addr{a, v4(12)}
	case sixTo4.Contains(a):
		return []netip.Addr{a, v4(2)}
	case isatap&^0x03000000 == 0x00005efe: // RFC 5214, whatever its u and g bits
		return []netip.Addr{a, v4(12)}
	}
	return []netip.Addr{a}
}

// specialName reports whether a name is never the public DNS's business: RFC
// 6761 and 7686. What it leads to is judged all the same; this keeps the
// question from being asked.
func specialName(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch last {
	case "onion", "exit", "local", "localhost", "internal", "invalid", "test", "example", "alt":
		return true
	}
	return name == "home.arpa" || strings.HasSuffix(name, ".home.arpa")
}

// OwnAddresses returns a function that knows this machine's own addresses: those
// of its interfaces, looked up again when they are ten seconds old, and those
// that it has though no interface shows them (the relay's public address behind
// a NAT). When the system cannot say, every address counts as its own.
func OwnAddresses(others ...netip.Addr) func(netip.Addr) bool {
	var (
		mu    sync.Mutex
		known map[netip.Addr]bool
		at    time.Time
	)
	return func(a netip.Addr) bool {
		mu.Lock()
		defer mu.Unlock()
		if known == nil || time.Since(at) > 10*time.Second {
			known, at = interfaceAddrs(), time.Now()
			for _, o := range others {
				if known != nil {
					known[o.Unmap()] = true
				}
			}
		}
		return known == nil || known[a.Unmap()]
	}
}

func interfaceAddrs() map[netip.Addr]bool {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	out := make(map[netip.Addr]bool, len(list))
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				out[ip.Unmap()] = true
			}
		}
	}
	return out
}
