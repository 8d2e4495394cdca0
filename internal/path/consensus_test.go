package path

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

const microdesc = `network-status-version 3 microdesc
valid-after 2026-01-01 00:00:00
params bwweightscale=10000
dir-source authority AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA 192.0.2.1 192.0.2.1 80 443
r one ASNFZ4mrze8BI0VniavN7wEjRWc 2026-01-01 00:00:00 192.0.2.1 9001 0
a [2001:db8::1]:9001
m AAAA
s Fast Guard Running Stable V2Dir Valid
v Tor 0.4.9.11
pr Cons=1-2
w Bandwidth=2500
r two /ty6mHZUMhD+3LqYdlQyEP7cuph 2026-01-01 00:00:00 198.51.100.7 443 80
s Exit Running Valid
w Bandwidth=20 Unmeasured=1
directory-footer
bandwidth-weights Wed=10000 Wee=10000 Weg=10000 Wem=10000 Wmg=4115 Wmm=10000
directory-signature sha256 A B
`

// The same relays as GETINFO ns/all has them, with a digest and no weights.
const nsAll = `r one ASNFZ4mrze8BI0VniavN7wEjRWc AAAAAAAAAAAAAAAAAAAAAAAAAAA 2026-01-01 00:00:00 192.0.2.1 9001 0
a [2001:db8::1]:9001
s Fast Guard Running Stable V2Dir Valid
w Bandwidth=2500
r two /ty6mHZUMhD+3LqYdlQyEP7cuph AAAAAAAAAAAAAAAAAAAAAAAAAAA 2026-01-01 00:00:00 198.51.100.7 443 80
s Exit Running Valid
w Bandwidth=20
`

func TestParseConsensus(t *testing.T) {
	for name, text := range map[string]string{"microdesc": microdesc, "ns/all": nsAll} {
		c, err := ParseConsensus(text)
		if err != nil || len(c.Relays) != 2 {
			t.Fatalf("%s: %d relays, %v", name, len(c.Relays), err)
		}
		one, ok := c.Relay("0123456789ABCDEF0123456789ABCDEF01234567")
		want := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:9001"), netip.MustParseAddrPort("[2001:db8::1]:9001")}
		if !ok || one.Nickname != "one" || one.Bandwidth != 2500 || !one.Is("Guard") || one.Is("Exit") || !slices.Equal(one.Addrs, want) {
			t.Errorf("%s: %+v", name, one)
		}
		if two, ok := c.Relay("FEDCBA9876543210FEDCBA9876543210FEDCBA98"); !ok || two.Bandwidth != 20 || !two.Is("Exit") {
			t.Errorf("%s: %+v", name, two)
		}
		if _, ok := c.Relay(strings.Repeat("0", 40)); ok {
			t.Errorf("%s: a relay that is not there", name)
		}
		wantWeight := 2500.0
		if name == "microdesc" {
			wantWeight = 2500 * 0.4115
		}
		if w := c.weight(one, middlePosition); w != wantWeight {
			t.Errorf("%s: a guard weighs %v in the middle, want %v", name, w, wantWeight)
		}
	}
	for _, bad := range []string{
		"r one\n", "r one x 2026-01-01 00:00:00 192.0.2.1 9001 0\n", strings.Replace(nsAll, "192.0.2.1", "192.0.2", 1),
		strings.Replace(nsAll, "9001", "90010", 1), strings.Replace(nsAll, "=2500", "=-1", 1), "bandwidth-weights Wmg=x\n",
	} {
		if _, err := ParseConsensus(bad); err == nil {
			t.Errorf("%.40q is read", bad)
		}
	}
}

func FuzzParseConsensus(f *testing.F) {
	f.Add(microdesc)
	f.Add(nsAll)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseConsensus(text)
		if err != nil {
			return
		}
		for _, r := range c.Relays {
			if got, ok := c.Relay(r.Fingerprint); !ok || len(r.Fingerprint) != 40 || len(got.Addrs) == 0 {
				t.Fatalf("%+v", r)
			}
			if w := c.weight(r, middlePosition); w < 0 {
				t.Fatalf("%+v weighs %v", r, w)
			}
		}
	})
}

func TestParseFamily(t *testing.T) {
	f := ParseFamily("onion-key\nntor-onion-key AAAA\nfamily $0123456789ABCDEF0123456789ABCDEF01234567 friend\nfamily-ids ed25519:abc\nid ed25519 xyz\n")
	if !slices.Equal(f.Members, []string{"$0123456789ABCDEF0123456789ABCDEF01234567", "friend"}) || !slices.Equal(f.IDs, []string{"ed25519:abc"}) {
		t.Errorf("%+v", f)
	}
}

func TestFamilyNeedsBoth(t *testing.T) {
	a := Relay{Fingerprint: strings.Repeat("A", 40), Nickname: "alpha"}
	b := Relay{Fingerprint: strings.Repeat("B", 40), Nickname: "beta"}
	claims := func(names ...string) Family { return Family{Members: names} }
	proven := Family{IDs: []string{"ed25519:one", "ed25519:two"}}
	for _, tc := range []struct {
		name   string
		fa, fb Family
		want   bool
	}{
		{"none", Family{}, Family{}, false},
		{"both", claims("$" + b.Fingerprint), claims("$" + a.Fingerprint + "=alpha"), true},
		{"by nickname", claims("Beta"), claims(strings.ToLower(a.Fingerprint) + "~x"), true},
		{"one alone", claims("$" + b.Fingerprint), Family{}, false},
		{"the other alone", Family{}, claims("$" + a.Fingerprint), false},
		{"everybody is claimed", claims("$"+b.Fingerprint, "beta"), claims("gamma"), false},
		{"a proven family", proven, Family{IDs: []string{"ed25519:two"}}, true},
		{"different proven ones", proven, Family{IDs: []string{"ed25519:three"}}, false},
		{"$ before a nickname is none", claims("$beta"), claims("$alpha"), false},
	} {
		if got := related(a, b, tc.fa, tc.fb); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestNeighbours(t *testing.T) {
	at := func(addrs ...string) (r Relay) {
		for _, a := range addrs {
			r.Addrs = append(r.Addrs, netip.AddrPortFrom(netip.MustParseAddr(a), 9001))
		}
		return r
	}
	for _, tc := range []struct {
		a, b Relay
		want bool
	}{
		{at("192.0.2.1"), at("192.0.99.1"), true},
		{at("192.0.2.1"), at("192.1.2.1"), false},
		{at("192.0.2.1", "2001:db8::1"), at("198.51.100.1", "2001:db8:ffff::1"), true},
		{at("192.0.2.1", "2001:db8::1"), at("198.51.100.1", "2001:db9::1"), false},
		{at(), at("192.0.2.1"), false},
	} {
		if got := neighbours(tc.a, tc.b); got != tc.want || neighbours(tc.b, tc.a) != tc.want {
			t.Errorf("%v and %v: %v, want %v", tc.a.Addrs, tc.b.Addrs, got, tc.want)
		}
	}
}
