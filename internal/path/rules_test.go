package path

import (
	"net/netip"
	"strings"
	"testing"
)

func TestSet(t *testing.T) {
	r := Relay{Fingerprint: "0123456789ABCDEF0123456789ABCDEF01234567", Nickname: "Alpha",
		Addrs: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:9001"), netip.MustParseAddrPort("[2001:db8::1]:9001")}}
	country := func(a netip.Addr) string {
		if a == r.Addrs[0].Addr() {
			return "DE"
		}
		return "??"
	}
	for pattern, want := range map[string]bool{
		"": false, " , ": false, "*": true,
		"$0123456789ABCDEF0123456789ABCDEF01234567":       true,
		"0123456789abcdef0123456789abcdef01234567":        true,
		"$0123456789ABCDEF0123456789ABCDEF01234567~Alpha": true,
		"$1123456789ABCDEF0123456789ABCDEF01234567":       false,
		"alpha":                 true,
		"beta, alpha":           true,
		"beta":                  false,
		"192.0.2.1":             true,
		"192.0.0.0/16":          true,
		"192.0.0.0/255.255.0.0": true,
		"192.0.2.1:9001":        true,
		"192.0.2.1:*":           true,
		"192.0.0.0/16:443":      false,
		"192.0.3.0/24":          false,
		"[2001:db8::]/32":       true,
		"2001:db8::/32":         true,
		"[2001:db8::1]:9001":    true,
		"[2001:db8::]/32:443":   false,
		"[2001:db9::]/32":       false,
		"{de}":                  true,
		"{DE}":                  true,
		"{us}, {??}":            false,
		`"{us}","{de}"`:         true,
	} {
		s, err := ParseSet(pattern)
		if err != nil {
			t.Errorf("%q: %v", pattern, err)
			continue
		}
		if got := s.has(r, country); got != want {
			t.Errorf("%q: %v, want %v", pattern, got, want)
		}
	}
	for _, bad := range []string{"192.0.2", "192.0.2.1/33", "192.0.2.1:x", "192.0.2.1:70000", "1.2.3.0/255.0.255.0", "[::1", "{deu}", "a b", "a;b"} {
		if s, err := ParseSet(bad); err == nil {
			t.Errorf("%q is read as %+v", bad, s)
		}
	}
}

func FuzzParseSet(f *testing.F) {
	for _, s := range []string{"{de},alpha", "192.0.2.1/16:80", "[2001:db8::]/32", "*", `"$0123456789ABCDEF0123456789ABCDEF01234567=x"`} {
		f.Add(s)
	}
	r := Relay{Addrs: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:9001")}}
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := ParseSet(text); err == nil && s.empty() && s.has(r, func(netip.Addr) string { return "??" }) {
			t.Fatalf("%q is empty and has a relay", text)
		}
	})
}

func TestParseRules(t *testing.T) {
	r, err := ParseRules(map[string][]string{
		"excludenodes": {"{de}"}, "exitnodes": {"alpha"}, "strictnodes": {"1"}, "enforcedistinctsubnets": {"0"},
		"nodefamily": {"alpha,beta", "gamma,delta"}, "longlivedports": {"21, 22,6667"},
	})
	if err != nil || !r.Strict || !r.SubnetsMay || len(r.Families) != 2 || !r.LongLived(22) || !r.LongLived(6667) || r.LongLived(80) || !r.Entry.empty() {
		t.Errorf("%+v, %v", r, err)
	}
	nowhere := Relay{Addrs: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:9001")}}
	unknown := func(netip.Addr) string { return "??" }
	if !r.Exclude.has(nowhere, unknown) {
		t.Error("who excludes a country does not exclude what is in none")
	}
	if r, err := ParseRules(map[string][]string{"excludenodes": {"{de}"}, "geoipexcludeunknown": {"0"}}); err != nil || r.Exclude.has(nowhere, unknown) {
		t.Errorf("GeoIPExcludeUnknown 0: %v", err)
	}
	if r, err := ParseRules(nil); err != nil || r.Strict || r.SubnetsMay || r.Exclude.has(nowhere, unknown) {
		t.Errorf("tor's defaults: %+v, %v", r, err)
	}
	for _, option := range []string{"ExcludeNodes", "ExcludeExitNodes", "EntryNodes", "ExitNodes", "NodeFamily"} {
		_, err := ParseRules(map[string][]string{strings.ToLower(option): {"no, such;thing"}})
		if err == nil || !strings.Contains(err.Error(), option) {
			t.Errorf("%s: %v", option, err)
		}
	}
}
