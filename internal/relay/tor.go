package relay

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/tor"
)

// Identity is what a relay's tor says of itself.
type Identity struct {
	Fingerprint string
	Addr        netip.Addr   // the relay's public address
	Here        bool         // an interface of this machine has it
	From        []netip.Addr // addresses that tor connects from as an exit: its public one, and those that it was told to bind to
	Own         []netip.Addr // every address of the machine's: public, of interfaces, bound to
	WasExit     bool         // by the operator's own configuration
}

// Identify asks tor. cfg may override tor's word on the relay's address; saved is
// what an earlier process of ours has set.
func Identify(ctx context.Context, c *tor.Client, cfg *config.Relay, saved tor.SettingsState) (id Identity, err error) {
	fp, err := c.Info(ctx, "fingerprint")
	if err != nil {
		return id, fmt.Errorf("this tor is no relay (it needs an ORPort): %w", err)
	}
	id.Fingerprint = strings.ToUpper(strings.TrimSpace(fp))
	addr := cfg.Address
	if addr == "" {
		if addr, err = c.Info(ctx, "address"); err != nil {
			return id, fmt.Errorf("tor does not know its address yet; set relay.address: %w", err)
		}
	}
	if id.Addr, err = netip.ParseAddr(addr); err != nil || !id.Addr.Is4() {
		return id, fmt.Errorf("relay.address: %q is not an IPv4 address", addr)
	}
	conf, err := c.Conf(ctx, append(bindings, "ExitRelay", "ExitPolicy", "ReducedExitPolicy", "IPv6Exit")...)
	if err != nil {
		return id, err
	}
	id.WasExit = wasExit(conf, saved)
	id.From = unique(append(addresses(conf, bindings[:2]), id.Addr))
	id.Own = append([]netip.Addr{id.Addr}, addresses(conf, bindings)...)
	// A relay with an IPv6 ORPort; tor knows no such address otherwise.
	if six, err := c.Info(ctx, "address/v6"); err == nil {
		if a, err := netip.ParseAddr(strings.Trim(six, "[]")); err == nil {
			id.Own = append(id.Own, a)
		}
	}
	interfaces, err := interfaceAddrs()
	id.Here = slices.Contains(interfaces, id.Addr)
	id.Own = unique(append(id.Own, interfaces...))
	return id, err
}

// bindings are the options that name an address to connect from; the first two
// are about exit connections.
var bindings = []string{"OutboundBindAddress", "OutboundBindAddressExit", "OutboundBindAddressOR", "OutboundBindAddressPT"}

// addresses reads options whose values are addresses.
func addresses(conf map[string][]string, keys []string) (list []netip.Addr) {
	for _, key := range keys {
		for _, v := range conf[strings.ToLower(key)] {
			if a, err := netip.ParseAddr(strings.Trim(v, "[]")); err == nil {
				list = append(list, a)
			}
		}
	}
	return list
}

// wasExit tells whether the operator's own configuration makes an exit (tor(1),
// ExitRelay: auto means only if a policy was asked for). What we have set does not
// count: the saved state has the operator's values.
func wasExit(conf map[string][]string, saved tor.SettingsState) bool {
	value := func(key string) []string { return saved.Base(key, conf[strings.ToLower(key)]) }
	is := func(key, want string) bool { return slices.Equal(value(key), []string{want}) }
	policy := value("ExitPolicy")
	asked := len(policy) > 0 || is("ReducedExitPolicy", "1") || is("IPv6Exit", "1")
	return !is("ExitRelay", "0") && (is("ExitRelay", "1") || asked) && acceptsAny(policy)
}

// acceptsAny reports whether a policy lets anything out. Behind one that does not
// end in a rule for everything tor appends its own, which does.
func acceptsAny(policy []string) bool {
	for rule := range strings.SplitSeq(strings.Join(policy, ","), ",") {
		switch words := strings.Fields(rule); {
		case len(words) == 0:
		case strings.HasPrefix(words[0], "accept"):
			return true
		case words[0] == "reject" && len(words) == 2 && (words[1] == "*:*" || words[1] == "*"):
			return false
		}
	}
	return true
}

// interfaceAddrs lists the addresses of this machine's interfaces.
func interfaceAddrs() (list []netip.Addr, err error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list this machine's addresses: %w", err)
	}
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			list = append(list, p.Addr())
		}
	}
	return list, nil
}

// unique sorts addresses and drops repetitions; one of IPv4 in IPv6 is that of
// IPv4, and a zone says nothing about whose the address is.
func unique(list []netip.Addr) []netip.Addr {
	for i, a := range list {
		list[i] = a.Unmap().WithZone("")
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
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
