package path

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A Set is a pattern of relays as tor's options have it (tor's manual, ExcludeNodes):
// fingerprints, nicknames, addresses and networks, and countries in braces.
type Set struct {
	names     []string
	networks  []network
	countries []string // in lower case
}

// network is an address pattern: a prefix, and an ORPort or 0 for any.
type network struct {
	netip.Prefix
	port uint16
}

// ParseSet reads comma-separated patterns.
func ParseSet(text string) (s Set, err error) {
	for _, item := range strings.Split(text, ",") {
		item = strings.Trim(strings.TrimSpace(item), `"`)
		if item == "" {
			continue
		}
		switch country, brace := strings.CutPrefix(item, "{"); {
		case brace && len(country) == 3 && country[2] == '}':
			s.countries = append(s.countries, strings.ToLower(country[:2]))
		case item == "*":
			s.networks = append(s.networks, network{netip.PrefixFrom(netip.IPv4Unspecified(), 0), 0},
				network{netip.PrefixFrom(netip.IPv6Unspecified(), 0), 0})
		case strings.ContainsAny(item, ".:"):
			n, err := parseNetwork(item)
			if err != nil {
				return Set{}, err
			}
			s.networks = append(s.networks, n)
		case strings.Trim(strings.ToUpper(item), "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789$=~") == "":
			s.names = append(s.names, item)
		default:
			return Set{}, fmt.Errorf("%q is no relay, address or country", item)
		}
	}
	return s, nil
}

// parseNetwork reads an address, in brackets or not, with or without a length or a
// mask, and with or without an ORPort.
func parseNetwork(item string) (n network, err error) {
	wrong := fmt.Errorf("%q is no address or network", item)
	host, port := item, "*"
	if bracket := strings.LastIndexByte(item, ']'); bracket >= 0 || strings.Count(item, ":") == 1 {
		if colon := strings.IndexByte(item[bracket+1:], ':'); colon >= 0 {
			host, port = item[:bracket+1+colon], item[bracket+1+colon+1:]
		}
	}
	if port != "*" {
		p, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return n, wrong
		}
		n.port = uint16(p)
	}
	address, length, cut := strings.Cut(host, "/")
	inside, bracket := strings.CutPrefix(address, "[")
	if bracket {
		var closed bool
		if inside, closed = strings.CutSuffix(inside, "]"); !closed {
			return n, wrong
		}
	}
	addr, err := netip.ParseAddr(inside)
	if err != nil {
		return n, wrong
	}
	bits := addr.BitLen()
	if mask, merr := netip.ParseAddr(length); cut && merr == nil && mask.Is4() && addr.Is4() {
		var size int
		if bits, size = net.IPMask(mask.AsSlice()).Size(); size == 0 {
			return n, wrong // ones do not come first
		}
	} else if cut {
		if bits, err = strconv.Atoi(length); err != nil {
			return n, wrong
		}
	}
	if n.Prefix, err = addr.Prefix(bits); err != nil {
		return n, wrong
	}
	return n, nil
}

// empty reports whether the option is not set.
func (s Set) empty() bool {
	return len(s.names)+len(s.networks)+len(s.countries) == 0
}

// has reports whether a relay fits one of the patterns. country says where an address
// is, as two letters or "??", and is asked only if that matters.
func (s Set) has(r Relay, country func(netip.Addr) string) bool {
	if slices.ContainsFunc(s.names, func(name string) bool { return named(name, r) }) {
		return true
	}
	for _, at := range r.Addrs {
		for _, n := range s.networks {
			if n.Contains(at.Addr()) && (n.port == 0 || n.port == at.Port()) {
				return true
			}
		}
	}
	if len(s.countries) == 0 || len(r.Addrs) == 0 {
		return false
	}
	return slices.Contains(s.countries, strings.ToLower(country(r.Addrs[0].Addr())))
}
