package gateway_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/el-tor/tops/gateway"
)

func TestPolicy(t *testing.T) {
	for _, tc := range []struct{ policy, accepts, rejects string }{
		{"accept *:443,reject *:*", "8.8.4.4:443 [2606::1]:443", "8.8.4.4:80"},
		{"accept *:443", "8.8.4.4:443", "8.8.4.4:80"}, // where no rule matches: no
		{"reject 8.8.0.0/16:*, accept *:80-90", "9.9.9.9:80 9.9.9.9:90 [2606::1]:85", "8.8.4.4:80 9.9.9.9:91 9.9.9.9:79"},
		{"reject 8.8.0.0/255.255.0.0,accept *", "9.9.9.9:1", "8.8.4.4:80"},
		{"reject private:*,accept *:*", "8.8.4.4:80", "10.0.0.1:80 127.0.0.1:80 [fc00::1]:80"},
		{"accept *4:80,accept *6:443", "8.8.4.4:80 [2606::1]:443", "8.8.4.4:443 [2606::1]:80"},
		{"reject6 *:25,accept *:*", "8.8.4.4:25", "[2606::1]:25"},
		{"accept6 [2606:4700::]/32:80", "[2606:4700::1]:80", "[2607::1]:80 8.8.4.4:80"},
		{"accept 8.8.4.4:53", "8.8.4.4:53", "8.8.8.8:53"},
		{"reduced", "8.8.4.4:443 8.8.4.4:22 8.8.4.4:6667", "8.8.4.4:25 8.8.4.4:6881 8.8.4.4:1"},
	} {
		p, err := gateway.ParsePolicy(tc.policy)
		if err != nil {
			t.Errorf("%s: %v", tc.policy, err)
			continue
		}
		for want, list := range map[bool]string{true: tc.accepts, false: tc.rejects} {
			for _, a := range strings.Fields(list) {
				if got := p.Accepts(netip.MustParseAddrPort(a)); got != want {
					t.Errorf("%s: Accepts(%s) = %t", tc.policy, a, got)
				}
			}
		}
	}
}

func TestPolicyRefusesWhatItCannotRead(t *testing.T) {
	for _, s := range []string{
		"", "accept", "accept *:443,", "allow *:443", "accept *:0", "accept *:90-80", "accept *:65536", "accept *:a", "accept 8.8.4:80", "accept 8.8.4.4/33:80",
		"accept 8.8.4.4/255.0.255.0", "accept [::1/64]:80", "accept ::1:80", "accept6 8.8.4.4:80", "accept6 *4:80", "accept example.com:80", "accept *:80 *:81",
		"accept [8.8.4.4]:80", "accept [::ffff:8.8.4.4]:80", strings.Repeat("accept *:80,", 5000) + "reject *:*", strings.Repeat(" ", 70000),
	} {
		if p, err := gateway.ParsePolicy(s); err == nil {
			t.Errorf("%.40q was read as %.40q", s, p)
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	for _, s := range []string{"reduced", "accept *:443,reject *:*", "reject6 [2001:db8::]/32:1-2,accept private", "accept 8.8.0.0/255.255.0.0:80", "reject *4,accept *6:1"} {
		f.Add(s)
	}
	probes := []netip.AddrPort{netip.MustParseAddrPort("8.8.4.4:80"), netip.MustParseAddrPort("[2606::1]:443"), netip.MustParseAddrPort("10.0.0.1:22")}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := gateway.ParsePolicy(s)
		if err != nil {
			return
		}
		again, err := gateway.ParsePolicy(p.String())
		if err != nil || again.String() != p.String() {
			t.Fatalf("%q is written %q, which is read as %q, %v", s, p, again, err)
		}
		for _, a := range probes {
			if p.Accepts(a) != again.Accepts(a) {
				t.Errorf("%q and %q differ about %s", s, p, a)
			}
		}
	})
}
