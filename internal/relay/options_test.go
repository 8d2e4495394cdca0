package relay

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/policies"
)

func TestContactKeepsTheOperatorsWords(t *testing.T) {
	terms := policies.DefaultTerms("", policies.Descriptor{Kind: policies.Offer, Value: "lno1example"}, netip.MustParseAddrPort("203.0.113.9:9402"))
	const ours = "tops:1 topsoffer:lno1example topsgateway:203.0.113.9:9402"
	for _, c := range []struct {
		base []string
		want string
	}{
		{nil, ours},
		{[]string{"email:op[]example.org"}, "email:op[]example.org " + ours},
		{[]string{"Random Person <nobody AT example dot com> ciissversion:2"}, "Random Person <nobody AT example dot com> ciissversion:2 " + ours},
		{[]string{"me tops:1 topsoffer:lno1old topsgateway:203.0.113.8:9402 url:example.org"}, "me url:example.org " + ours},
		{[]string{"runs on laptops tops"}, "runs on laptops tops " + ours},
	} {
		if got := contact(terms)(c.base); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%q: %q, want %q", c.base, got, c.want)
		}
	}
}

func TestExitPolicy(t *testing.T) {
	gw := netip.MustParseAddrPort("203.0.113.9:9402")
	own := []netip.Addr{netip.MustParseAddr("192.168.1.7"), gw.Addr(), netip.MustParseAddr("2001:db8:1::9"), netip.MustParseAddr("198.51.100.4")}
	web, irc, mail := "93.184.216.34:443", "93.184.216.34:6667", "93.184.216.34:25"
	never := []string{"203.0.113.9:22", "203.0.113.9:9401", "192.168.1.7:9402", "198.51.100.4:80", "[2001:db8:1::9]:80", "10.0.0.1:80", "127.0.0.1:9402", "[fe80::1]:80", "169.254.169.254:80"}
	for _, c := range []struct {
		name    string
		wasExit bool
		base    []string
		yes, no []string
	}{
		{"no exit before", false, nil, nil, []string{web, irc, mail}},
		{"no exit before, with a policy for later", false, []string{"accept *:*"}, nil, []string{web, irc, mail}},
		{"an exit of one line", true, []string{"accept *:443,reject *:*"}, []string{web}, []string{irc, mail}},
		{"an exit of several lines", true, []string{"reject *:25", "accept *:443", "accept *:6667", "reject *:*"}, []string{web, irc}, []string{mail}},
		{"an exit that would allow what is ours", true, []string{"accept *:*"}, []string{web, irc, mail}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := exitPolicy(gw, own, c.wasExit)(c.base)
			p, err := gateway.ParsePolicy(strings.Join(got, ","))
			if err != nil {
				t.Fatal(err)
			}
			for _, at := range append(c.yes, gw.String()) {
				if !p.Accepts(netip.MustParseAddrPort(at)) {
					t.Errorf("%s is refused by %s", at, p)
				}
			}
			for _, at := range append(c.no, never...) {
				if p.Accepts(netip.MustParseAddrPort(at)) {
					t.Errorf("%s is accepted by %s", at, p)
				}
			}
			if again := exitPolicy(gw, own, c.wasExit)(c.base); !slices.Equal(got, again) {
				t.Errorf("made anew of the same base: %q, then %q", got, again)
			}
		})
	}
}

func TestWasExit(t *testing.T) {
	for _, c := range []struct {
		name string
		conf map[string][]string
		want bool
	}{
		{"Debian's default", map[string][]string{"exitrelay": {"auto"}, "reducedexitpolicy": {"0"}, "ipv6exit": {"0"}}, false},
		{"off, whatever the policy says", map[string][]string{"exitrelay": {"0"}, "exitpolicy": {"accept *:*"}}, false},
		{"on, with tor's own policy", map[string][]string{"exitrelay": {"1"}}, true},
		{"auto, with a policy", map[string][]string{"exitrelay": {"auto"}, "exitpolicy": {"accept *:443"}}, true},
		{"a policy that lets nothing out", map[string][]string{"exitrelay": {"1"}, "exitpolicy": {"reject 10.0.0.0/8:*", "reject *:*"}}, false},
		{"auto, with the policy of one who wants no exit", map[string][]string{"exitrelay": {"auto"}, "exitpolicy": {"reject *:*"}}, false},
		{"rejections before tor's own policy", map[string][]string{"exitrelay": {"1"}, "exitpolicy": {"reject *:25"}}, true},
		{"auto, reduced", map[string][]string{"exitrelay": {"auto"}, "reducedexitpolicy": {"1"}}, true},
	} {
		if got := wasExit(c.conf, tor.SettingsState{}); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	// What we have set does not make an exit of it.
	const rule = "accept 203.0.113.9:9402,reject *:*"
	saved := tor.SettingsState{Options: []tor.OptionState{
		{Key: "ExitRelay", Base: []string{"auto"}, Ours: [][]string{{"1"}}}, {Key: "ExitPolicy", Ours: [][]string{{rule}}},
	}}
	if wasExit(map[string][]string{"exitrelay": {"1"}, "exitpolicy": {rule}}, saved) {
		t.Error("a relay of ours counts as an exit after a restart")
	}
	// What the operator has changed meanwhile does.
	if !wasExit(map[string][]string{"exitrelay": {"auto"}, "exitpolicy": {"accept *:443"}}, saved) {
		t.Error("a relay that its operator has made an exit since does not count as one")
	}
}

func TestUnique(t *testing.T) {
	var list []netip.Addr
	for _, s := range []string{"fe80::1%eth0", "203.0.113.9", "::ffff:203.0.113.9", "fe80::1%eth1", "127.0.0.1"} {
		list = append(list, netip.MustParseAddr(s))
	}
	want := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("fe80::1")}
	if got := unique(list); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
