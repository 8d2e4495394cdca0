package gateway

import (
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
)

// Policy is an exit policy: rules in tor's syntax (tor(1), ExitPolicy), of which
// the first that matches decides. Where none matches, the answer is no: tor
// would append its default policy, we append nothing. The zero Policy accepts
// nothing.
type Policy struct{ rules []rule }

type rule struct {
	accept bool
	kind   byte         // what the address was written as: '*', '4', '6', 'p'rivate, 'a'ddress
	prefix netip.Prefix // of kind a
	only6  bool         // accept6, reject6
	lo, hi uint16       // ports
}

// ReducedPolicy is tor's own for ReducedExitPolicy 1 (0.4.9): the ports that
// people use, without those that abuse comes from (mail relaying, file sharing).
const ReducedPolicy = "accept *:20-23,accept *:43,accept *:53,accept *:79-81,accept *:88,accept *:110,accept *:143,accept *:194," +
	"accept *:220,accept *:389,accept *:443,accept *:464-465,accept *:531,accept *:543-544,accept *:554,accept *:563,accept *:587," +
	"accept *:636,accept *:706,accept *:749,accept *:873,accept *:902-904,accept *:981,accept *:989-995,accept *:1194," +
	"accept *:1220,accept *:1293,accept *:1500,accept *:1533,accept *:1677,accept *:1723,accept *:1755,accept *:1863," +
	"accept *:2082-2083,accept *:2086-2087,accept *:2095-2096,accept *:2102-2104,accept *:3128,accept *:3389,accept *:3690," +
	"accept *:4321,accept *:4643,accept *:5050,accept *:5190,accept *:5222-5223,accept *:5228,accept *:5900,accept *:6660-6669," +
	"accept *:6679,accept *:6697,accept *:8000,accept *:8008,accept *:8074,accept *:8080,accept *:8082,accept *:8087-8088," +
	"accept *:8232-8233,accept *:8332-8333,accept *:8443,accept *:8888,accept *:9418,accept *:9999,accept *:10000,accept *:11371," +
	"accept *:18080-18081,accept *:18089,accept *:19294,accept *:19638,accept *:50002,accept *:64738,reject *:*"

// maxPolicy and maxRules bound what a configuration may hold.
const (
	maxPolicy = 64 << 10
	maxRules  = 4096
)

// ParsePolicy reads rules parted by commas: accept, reject, accept6 or reject6,
// then an address ("*", "*4", "*6", "private", 192.0.2.0/24, 192.0.2.0/255.255.255.0,
// [2001:db8::]/32) and, unless for all ports, ":port", ":low-high" or ":*". The
// word "reduced" stands for [ReducedPolicy].
func ParsePolicy(s string) (Policy, error) {
	if strings.TrimSpace(s) == "reduced" {
		s = ReducedPolicy
	}
	var p Policy
	if len(s) > maxPolicy {
		return p, fmt.Errorf("the exit policy is longer than %d bytes", maxPolicy)
	}
	for item := range strings.SplitSeq(s, ",") {
		r, err := parseRule(item)
		if err != nil {
			return Policy{}, fmt.Errorf("exit policy %q: %w", strings.TrimSpace(item), err)
		}
		if p.rules = append(p.rules, r); len(p.rules) > maxRules {
			return Policy{}, fmt.Errorf("the exit policy has more than %d rules", maxRules)
		}
	}
	return p, nil
}

// Accepts reports whether the policy lets somebody connect there.
func (p Policy) Accepts(to netip.AddrPort) bool {
	for _, r := range p.rules {
		if r.lo <= to.Port() && to.Port() <= r.hi && r.matches(to.Addr()) {
			return r.accept
		}
	}
	return false
}

// acceptsPort reports whether some address may be connected to on a port, so
// that a name need not be resolved when none may.
func (p Policy) acceptsPort(port uint16) bool {
	for _, r := range p.rules {
		if r.lo <= port && port <= r.hi {
			if r.accept {
				return true
			}
			if r.kind == '*' && !r.only6 {
				return false
			}
		}
	}
	return false
}

func (r rule) matches(a netip.Addr) bool {
	if r.only6 && !a.Is6() {
		return false
	}
	switch r.kind {
	case '*':
		return true
	case '4':
		return a.Is4()
	case '6':
		return a.Is6()
	case 'p':
		return specialUse(a)
	}
	return r.prefix.Contains(a)
}

// String writes the policy in the form that ParsePolicy reads.
func (p Policy) String() string {
	out := make([]string, len(p.rules))
	for i, r := range p.rules {
		out[i] = r.String()
	}
	return strings.Join(out, ",")
}

func (r rule) String() string {
	verb := map[bool]string{true: "accept", false: "reject"}[r.accept]
	if r.only6 {
		verb += "6"
	}
	var addr string
	switch r.kind {
	case '*':
		addr = "*"
	case 'p':
		addr = "private"
	case 'a':
		addr = r.prefix.String()
		if r.prefix.Addr().Is6() {
			addr = fmt.Sprintf("[%s]/%d", r.prefix.Addr(), r.prefix.Bits())
		}
	default:
		addr = "*" + string(r.kind)
	}
	switch {
	case r.lo == 0 && r.hi == 65535:
		return verb + " " + addr + ":*"
	case r.lo == r.hi:
		return fmt.Sprintf("%s %s:%d", verb, addr, r.lo)
	}
	return fmt.Sprintf("%s %s:%d-%d", verb, addr, r.lo, r.hi)
}

func parseRule(s string) (r rule, err error) {
	words := strings.Fields(s)
	if len(words) != 2 {
		return r, errors.New(`want "accept" or "reject", and an address`)
	}
	verb, only6 := strings.CutSuffix(words[0], "6")
	r.only6 = only6
	switch verb {
	case "accept":
		r.accept = true
	case "reject":
	default:
		return r, errors.New("want accept, reject, accept6 or reject6")
	}
	addr, ports := words[1], "*"
	if i := strings.LastIndexByte(addr, ':'); i > strings.LastIndexByte(addr, ']') {
		addr, ports = addr[:i], addr[i+1:]
	}
	if r.lo, r.hi, err = parsePorts(ports); err != nil {
		return r, err
	}
	if r.kind, r.prefix, err = parseAddress(addr); err != nil {
		return r, err
	}
	if r.only6 && (r.kind == '4' || r.kind == 'a' && r.prefix.Addr().Is4()) {
		return r, errors.New("an IPv4 address in a rule for IPv6")
	}
	return r, nil
}

func parsePorts(s string) (lo, hi uint16, err error) {
	if s == "*" {
		return 0, 65535, nil
	}
	first, last, ranged := strings.Cut(s, "-")
	if !ranged {
		last = first
	}
	a, errA := strconv.ParseUint(first, 10, 16)
	b, errB := strconv.ParseUint(last, 10, 16)
	if errA != nil || errB != nil || a == 0 || b < a {
		return 0, 0, errors.New("want a port from 1 to 65535, low-high, or *")
	}
	return uint16(a), uint16(b), nil
}

func parseAddress(s string) (kind byte, p netip.Prefix, err error) {
	switch s {
	case "*":
		return '*', p, nil
	case "*4", "*6":
		return s[1], p, nil
	case "private":
		return 'p', p, nil
	}
	host, mask, masked := strings.Cut(s, "/")
	v6 := strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]")
	if v6 {
		host = host[1 : len(host)-1]
	}
	a, err := netip.ParseAddr(host)
	if err != nil || a.Is6() != v6 || a.Zone() != "" || a.Is4In6() {
		return 0, p, errors.New("want an IPv4 address, an IPv6 address in brackets, *, *4, *6 or private")
	}
	n := a.BitLen()
	if masked {
		if n, err = parseMask(mask, a); err != nil {
			return 0, p, err
		}
	}
	return 'a', netip.PrefixFrom(a, n).Masked(), nil
}

// parseMask reads a number of bits, or for IPv4 four numbers.
func parseMask(s string, a netip.Addr) (int, error) {
	if n, err := strconv.ParseUint(s, 10, 8); err == nil && int(n) <= a.BitLen() {
		return int(n), nil
	}
	m, err := netip.ParseAddr(s)
	if err != nil || !m.Is4() || !a.Is4() {
		return 0, errors.New("want a mask of bits, or for IPv4 of four numbers")
	}
	b := m.As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	n := bits.LeadingZeros32(^v)
	if n < 32 && v<<n != 0 {
		return 0, errors.New("the mask's ones are not at its beginning")
	}
	return n, nil
}
