package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/relay"
	"github.com/el-tor/tops/internal/tor"
)

// lookAtRelay: is this tor a relay that others know?
func lookAtRelay(ctx context.Context, c *Case) []Finding {
	if c.Config.Relay == nil || c.Tor == nil {
		return nil
	}
	if c.RelayErr != nil {
		return problem("give tor an ORPort, and an Address if it cannot find its own; or set relay.address", "%v", c.RelayErr)
	}
	was := "no exit"
	if c.Relay.WasExit {
		was = "an exit"
	}
	return ok("%s, %s by its own configuration", c.Relay.Fingerprint, was)
}

// lookAtAddress: the gateway listens on the relay's own public address, since a
// client goes nowhere else.
func lookAtAddress(ctx context.Context, c *Case) (out []Finding) {
	if !c.isRelay() {
		return nil
	}
	own := c.Relay.Addr
	known, err := c.Tor.RelayAddress(ctx, c.Relay.Fingerprint)
	switch {
	case errors.Is(err, tor.ErrNoRelay):
		out = warning("wait: a new relay appears after an hour or two; if it does not, see tor's log", "the relay is not in tor's consensus: clients do not know it yet")
	case err != nil:
		out = unchecked("what the consensus says: %v", err)
	case known != own:
		out = problem("set Address in torrc, or relay.address in tops.toml, to the one that is right",
			"the gateway would be at %s, and the consensus has the relay at %s: clients refuse a gateway elsewhere", own, known)
	default:
		out = ok("%s, as in the consensus", own)
	}
	if own.IsPrivate() || own.IsLoopback() || own.IsLinkLocalUnicast() {
		out = append(out, problem("set Address in torrc, or relay.address in tops.toml, to the public address", "%s is no public address", own)...)
	}
	if !c.Relay.Here {
		out = append(out, problem("ip addr add "+own.String()+"/32 dev lo (`tops relay init --add-address` does it); and again after each start of the machine, before tops",
			"no interface of this machine has %s, so that the gateway cannot listen there: a NAT, or a container", own)...)
	}
	if len(c.Relay.From) > 1 {
		out = append(out, ok("tor connects to the gateway from %s", join(c.Relay.From, " or "))...)
	}
	return out
}

func join(list []netip.Addr, sep string) string {
	words := make([]string, len(list))
	for i, a := range list {
		words[i] = a.String()
	}
	return strings.Join(words, sep)
}

// lookAtTops: does it run?
func lookAtTops(_ context.Context, c *Case) []Finding {
	switch {
	case c.Planned || !c.role():
		return nil
	case c.runs():
		return ok("runs with this configuration, version %s", c.Status.Version)
	case c.Config.Relay != nil && len(c.Saved.Options) > 0:
		return warning("start it, or `tops relay undo`", "does not run, and tor still sends payers to its gateway")
	}
	return warning("start it: tops run, or systemctl start its service (tops@relay, tops@client)", "does not run with this configuration")
}

// lookAtOptions: does tor have the values that tops has set? It forgets them at
// every RELOAD, and whoever runs sets them again.
func lookAtOptions(ctx context.Context, c *Case) (out []Finding) {
	if !c.isRelay() || c.Planned {
		return nil
	}
	if len(c.Saved.Options) == 0 && !c.runs() {
		return ok("none is set: tops sets them when it starts")
	}
	terms, err := c.terms(ctx)
	if err != nil {
		return unchecked("whether tor has our values: %v", err)
	}
	changes, err := c.Tor.Preview(ctx, c.Saved, relay.Options(terms, c.Relay)...)
	if err != nil {
		return unchecked("whether tor has our values: %v", err)
	}
	var lost []string
	for _, change := range changes {
		if !change.Kept() {
			lost = append(lost, change.Key)
		}
	}
	names := strings.Join(lost, ", ")
	switch {
	case len(lost) == 0:
		return ok("%d are set for the gateway, and tor has our values", len(changes))
	case c.runs():
		return problem("see the log of tops: another program may be setting them; restart tops", "tor has other values than ours of %s", names)
	}
	return warning("start tops, which sets them again", "tor has other values than ours of %s: it was reloaded or restarted, or the configuration was changed", names)
}

// lookAtExitRules: what does tor let out, past the gateway?
func lookAtExitRules(ctx context.Context, c *Case) []Finding {
	if !c.hasGateway() || c.Planned || !c.runs() {
		return nil
	}
	text, err := c.Tor.ExitPolicy(ctx)
	if err != nil {
		return unchecked("tor's exit policy: %v", err)
	}
	wrong, err := exitRules(text, c.Relay, c.Config.Relay.Port)
	if err != nil {
		return unchecked("tor's exit policy: %v", err)
	}
	if len(wrong) > 0 {
		return problem("restart tops; if it stays so, please report it with the output of `tops doctor --json`", "%s", strings.Join(wrong, "; "))
	}
	if c.Relay.WasExit {
		return ok("the gateway is open, %d own addresses and all private ones are rejected, and then the operator's own policy holds", len(c.Relay.Own))
	}
	return ok("the gateway is open, and nothing else: %d own addresses, all private ones and the rest are rejected", len(c.Relay.Own))
}

// exitRules says what is wrong with the policy that a relay enforces.
func exitRules(text string, me relay.Identity, port uint16) (wrong []string, err error) {
	policy, err := gateway.ParsePolicy(strings.Join(strings.Fields(strings.ReplaceAll(strings.TrimSpace(text), "\n", ",")), " "))
	if err != nil {
		return nil, err
	}
	at := netip.AddrPortFrom(me.Addr, port)
	if !policy.Accepts(at) {
		wrong = append(wrong, fmt.Sprintf("tor's exit policy rejects the gateway, %s: nobody can reach it", at))
	}
	closed := func(a netip.Addr, what string) {
		for _, p := range []uint16{22, 80, 443, port, 9051} {
			to := netip.AddrPortFrom(a, p)
			if to != at && policy.Accepts(to) {
				wrong = append(wrong, fmt.Sprintf("tor's exit policy accepts %s, %s", to, what))
				return
			}
		}
	}
	for _, a := range me.Own {
		closed(a, "an address of this machine")
	}
	for _, a := range []string{"127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "::1", "fc00::1", "fe80::1"} {
		closed(netip.MustParseAddr(a), "a private address")
	}
	if !me.WasExit {
		closed(netip.MustParseAddr("1.1.1.1"), "though the relay was no exit before")
		closed(netip.MustParseAddr("2606:4700:4700::1111"), "though the relay was no exit before")
	}
	return wrong, nil
}
