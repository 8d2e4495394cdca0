package relay

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/el-tor/tops/internal/tor"
)

// self is what a relay's tor says of itself.
type self struct {
	fingerprint string
	addr        netip.Addr   // the relay's public address
	bound       []netip.Addr // addresses that tor connects from, if it was told
	wasExit     bool
}

// whoAmI asks tor. addr overrides tor's word on the relay's address.
func whoAmI(ctx context.Context, c *tor.Client, saved tor.SettingsState, addr string) (self, error) {
	var s self
	fp, err := c.Info(ctx, "fingerprint")
	if err != nil {
		return s, fmt.Errorf("this tor is no relay (it needs an ORPort): %w", err)
	}
	s.fingerprint = strings.ToUpper(strings.TrimSpace(fp))
	if addr == "" {
		if addr, err = c.Info(ctx, "address"); err != nil {
			return s, fmt.Errorf("tor does not know its address yet; set relay.address: %w", err)
		}
	}
	if s.addr, err = netip.ParseAddr(addr); err != nil || !s.addr.Is4() {
		return s, fmt.Errorf("relay.address: %q is not an IPv4 address", addr)
	}
	conf, err := c.Conf(ctx, "OutboundBindAddress", "OutboundBindAddressExit", "ExitRelay", "ExitPolicy", "ReducedExitPolicy", "IPv6Exit")
	if err != nil {
		return s, err
	}
	for _, key := range []string{"outboundbindaddress", "outboundbindaddressexit"} {
		for _, v := range conf[key] {
			if a, err := netip.ParseAddr(strings.Trim(v, "[]")); err == nil {
				s.bound = append(s.bound, a)
			}
		}
	}
	s.wasExit = wasExit(conf, saved)
	return s, nil
}

// wasExit tells whether the operator's own configuration makes an exit (tor(1),
// ExitRelay: auto means only if a policy was asked for). What an earlier process
// of ours set does not count: the saved state has the operator's values.
func wasExit(conf map[string][]string, saved tor.SettingsState) bool {
	value := func(key string) []string {
		for _, o := range saved.Options {
			if strings.EqualFold(o.Key, key) {
				return o.Base
			}
		}
		return conf[strings.ToLower(key)]
	}
	is := func(key, want string) bool { return slices.Equal(value(key), []string{want}) }
	switch {
	case is("ExitRelay", "0"):
		return false
	case is("ExitRelay", "1"):
		return true
	default:
		return len(value("ExitPolicy")) > 0 || is("ReducedExitPolicy", "1") || is("IPv6Exit", "1")
	}
}

// ownAddresses lists every address that a stream must not reach past the
// gateway's rule.
func (s self) ownAddresses() ([]netip.Addr, error) {
	list := append([]netip.Addr{s.addr}, s.bound...)
	ifaces, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list this machine's addresses: %w", err)
	}
	for _, a := range ifaces {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			list = append(list, p.Addr())
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list), nil
}

// orPorts is where the relays of the consensus listen: nobody may use a gateway
// to speak to them as if he were one.
func orPorts(ctx context.Context, c *tor.Client) (map[netip.AddrPort]bool, error) {
	text, err := c.Info(ctx, "ns/all")
	if err != nil {
		return nil, err
	}
	ports := make(map[netip.AddrPort]bool)
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 9 && words[0] == "r":
			if ap, err := netip.ParseAddrPort(words[6] + ":" + words[7]); err == nil {
				ports[ap] = true
			}
		case len(words) == 2 && words[0] == "a":
			if ap, err := netip.ParseAddrPort(words[1]); err == nil {
				ports[ap] = true
			}
		}
	}
	return ports, nil
}
