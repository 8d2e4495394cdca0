package gateway

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestDNSCache(t *testing.T) {
	now := time.Unix(1_900_000_000, 0)
	c := newDNSCache(3, time.Hour, func() time.Time { return now })
	one := []netip.Addr{netip.MustParseAddr("8.8.4.4")}
	c.put("second.", dnsAnswer{one, time.Second})
	c.put("day.", dnsAnswer{one, 24 * time.Hour})
	c.put("nothing.", dnsAnswer{nil, time.Hour})
	c.put("zero.", dnsAnswer{one, 0})
	has := func(name string) bool { _, ok := c.get(name); return ok }
	for _, step := range []struct {
		after time.Duration
		kept  map[string]bool
	}{
		{0, map[string]bool{"second.": true, "day.": true, "nothing.": true, "zero.": false}},
		{time.Second, map[string]bool{"second.": false, "day.": true, "nothing.": true}},
		{59 * time.Second, map[string]bool{"day.": true, "nothing.": false}},
		{58*time.Minute + 59*time.Second, map[string]bool{"day.": true}},
		{time.Second, map[string]bool{"day.": false}}, // an hour, whatever it said
	} {
		now = now.Add(step.after)
		for name, want := range step.kept {
			if has(name) != want {
				t.Errorf("at %s, %s is kept: %t", now, name, !want)
			}
		}
	}
	for i := range 1000 {
		c.put(fmt.Sprintf("%d.", i), dnsAnswer{one, time.Minute})
		if len(c.by) > 3 {
			t.Fatalf("%d names are kept, 3 may be", len(c.by))
		}
	}
	if !has("999.") {
		t.Error("the last one is not kept")
	}
}

func TestResolvConf(t *testing.T) {
	addrPort := cmpopts.EquateComparable(netip.AddrPort{})
	for text, want := range map[string][]netip.AddrPort{
		"": {netip.MustParseAddrPort("127.0.0.1:53")},
		"# nameserver 1.1.1.1\nsearch example.com\nnameserver bad\n": {netip.MustParseAddrPort("127.0.0.1:53")},
		"nameserver 9.9.9.9\n nameserver\t2620:fe::fe \nnameserver 1.1.1.1\nnameserver 8.8.8.8\n": {netip.MustParseAddrPort("9.9.9.9:53"),
			netip.MustParseAddrPort("[2620:fe::fe]:53"), netip.MustParseAddrPort("1.1.1.1:53")},
	} {
		if diff := cmp.Diff(want, parseResolvConf(text), addrPort); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	path := filepath.Join(t.TempDir(), "resolv.conf")
	r := resolvConf{path: path}
	first := func(want string) {
		t.Helper()
		r.looked = time.Time{}
		if got := r.servers()[0].String(); got != want {
			t.Errorf("the first server is %s, want %s", got, want)
		}
	}
	first("127.0.0.1:53")
	for i, server := range []string{"9.9.9.9", "1.1.1.1"} { // it follows the file
		if err := os.WriteFile(path, []byte("nameserver "+server+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Unix(1_900_000_000+int64(i), 0)); err != nil {
			t.Fatal(err)
		}
		first(server + ":53")
	}
}

func FuzzDNSAnswer(f *testing.F) {
	q, err := newQuestion("example.com.", typeA)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(q.wire)
	f.Add(append(append([]byte{}, q.wire[:2]...), "\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x08\x08\x04\x04"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 2 { // as if it had guessed the id
			b[0], b[1] = byte(q.id>>8), byte(q.id)
		}
		a, err := q.read(b)
		if err != nil && len(a.addrs) > 0 || len(a.addrs) > maxAnswerAddrs || a.ttl < 0 {
			t.Errorf("%+v, %v", a, err)
		}
	})
}
