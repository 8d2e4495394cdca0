package gateway_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/testnet"
	"github.com/el-tor/tops/paystream"
)

// names is a resolver with a table.
type names map[string][]string

func (n names) LookupNetIP(ctx context.Context, _, host string) (out []netip.Addr, err error) {
	list, ok := n[strings.TrimSuffix(host, ".")]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(list) == 0 { // a name server that never answers
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out, nil
}

func nobody(netip.Addr) bool      { return false }
func noRelay(netip.AddrPort) bool { return false }

func mustPolicy(t testing.TB, s string) gateway.Policy {
	t.Helper()
	p, err := gateway.ParsePolicy(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newExit(t testing.TB, cfg gateway.ExitConfig) *gateway.Exit {
	t.Helper()
	if cfg.Policy.String() == "" {
		cfg.Policy = mustPolicy(t, "accept *:*")
	}
	if cfg.Own == nil {
		cfg.Own = nobody
	}
	if cfg.Relay == nil {
		cfg.Relay = noRelay
	}
	cfg.DialTimeout = 2 * time.Second
	e, err := gateway.NewExit(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// listenAt makes the address this machine's and listens there. The function that
// it returns says whether anybody came.
func listenAt(t *testing.T, addr string) (ln *net.TCPListener, came func() bool) {
	t.Helper()
	a := netip.MustParseAddrPort(addr)
	if !a.Addr().IsLoopback() {
		if err := testnet.AddAddress(a.Addr()); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	eventually(t, addr+" works", func() bool { // the kernel takes a moment to make an IPv6 address usable
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return false
		}
		defer c.Close()
		for { // whoever gave up before came before this one
			own, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			own.Close()
			if own.RemoteAddr().String() == c.LocalAddr().String() {
				return true
			}
		}
	})
	return l.(*net.TCPListener), func() bool {
		own, err := net.Dial("tcp", addr) // whoever came, came before this one
		if err != nil {
			t.Fatal(err)
		}
		defer own.Close()
		for came := false; ; came = true {
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			if c.RemoteAddr().String() == own.LocalAddr().String() {
				return came
			}
		}
	}
}

func dialExit(t testing.TB, e *gateway.Exit, target string) error {
	t.Helper()
	to, err := gateway.ParseTarget(target)
	if err != nil {
		return err
	}
	c, err := e.Dial(t.Context(), to)
	if err == nil {
		c.Close()
	}
	return err
}

// What nobody may reach through a gateway, however it is written. A server
// listens on each address that this machine can have, and must see nobody.
func TestExitRefuses(t *testing.T) {
	listening := make(map[string]func() bool)
	for _, a := range []string{
		"127.0.0.1", "127.8.8.8", "10.0.0.1", "100.64.0.1", "100.100.100.200", "168.63.129.16", "169.254.169.254", "172.16.0.1",
		"172.31.255.254", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "240.0.0.1",
		"[::1]", "[fd00:ec2::254]", "[fc00::1]", "[2001:db8::1]", "[2001::1]", "[2001:20::1]", "[3fff::1]", "[100::1]", "[5f00::1]", "[fec0::1]",
		"[64:ff9b::a9fe:a9fe]", "[64:ff9b::7f00:1]", "[64:ff9b:1::808:404]", "[2002:7f00:1::1]", "[2002:a00:1::1]", "[2002:c0a8:101::1]",
		"[2001:0:808:404:0:ffff:80ff:fffe]", "[2606:4700::5efe:a00:1]", "[2606:4700::200:5efe:c0a8:101]", "[::7f00:1]", "[::ffff:0:7f00:1]",
		"198.51.100.77", "8.8.8.8", // the two last are refused as our own and as a relay's
	} {
		_, listening[a] = listenAt(t, a+":80")
	}
	resolver := names{
		"one.example.net": {"127.0.0.1"}, "private.example.net": {"10.0.0.1", "192.168.1.1"}, "six.example.net": {"::1", "fd00:ec2::254"},
		"mapped.example.net": {"::ffff:127.0.0.1"}, "meta.example.net": {"169.254.169.254"}, "nat64.example.net": {"64:ff9b::a9fe:a9fe"},
		"own.example.net": {"8.8.8.8"},
	}
	e := newExit(t, gateway.ExitConfig{
		Resolver: resolver,
		Own:      func(a netip.Addr) bool { return a == netip.MustParseAddr("8.8.8.8") },
		Relay:    func(a netip.AddrPort) bool { return a == netip.MustParseAddrPort("9.9.9.9:80") },
	})
	var targets []string
	for a := range listening {
		targets = append(targets, a)
	}
	for n := range resolver {
		targets = append(targets, n, n+".", strings.ToUpper(n))
	}
	targets = append(targets,
		// no server can listen there
		"0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255", "[::]", "[ff02::1]", "[fe80::1]", "9.9.9.9", "[64:ff9b::909:909]", "[::ffff:9.9.9.9]",
		"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:169.254.169.254]", "[2002:909:909::]", "[64:ff9b::808:808]",
		// names of special use are not even looked up
		"localhost", "a.localhost", "printer.local", "db.internal", "x.onion", "y.exit", "router.home.arpa", "foo.test",
	)
	for _, target := range targets {
		if err := dialExit(t, e, target+":80"); !errors.Is(err, gateway.ErrPolicy) {
			t.Errorf("%s: %v, want %v", target, err, gateway.ErrPolicy)
		}
	}
	// Addresses in disguise are no targets at all.
	for _, target := range []string{
		"127.1", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "2130706433", "017700000001", "127.0.0.01", "1.2.3", "example.0x7f", "a.1",
		"[fe80::1%25lo]", "[fe80::1%lo]", "[127.0.0.1]", "::1", "127.0.0.1%00", "127.0.0.1 ", "127。0。0。1", "ⓔxample.com", "", ".", "a..b", "-a", "a_b-", "a@b",
		"user@127.0.0.1", "127.0.0.1#x", "127.0.0.1/x", "http://127.0.0.1", strings.Repeat("a", 64), strings.Repeat("a.", 127) + "com",
	} {
		if to, err := gateway.ParseTarget(target + ":80"); err == nil {
			t.Errorf("%q was read as %v", target, to)
		}
	}
	for _, target := range []string{"8.8.4.4", "8.8.4.4:", "8.8.4.4:0", "8.8.4.4:080", "8.8.4.4:65536", "8.8.4.4:+80", "8.8.4.4:http"} {
		if to, err := gateway.ParseTarget(target); err == nil {
			t.Errorf("%q was read as %v", target, to)
		}
	}
	for a, came := range listening {
		if came() {
			t.Errorf("somebody reached %s", a)
		}
	}
}

func TestExitConnects(t *testing.T) {
	v4, came4 := listenAt(t, "8.8.4.4:80")
	_, came6 := listenAt(t, "[2606:4700::1111]:80")
	_, came64 := listenAt(t, "[64:ff9b::808:404]:80") // embeds 8.8.4.4
	_, came6to4 := listenAt(t, "[2002:808:404::1]:80")
	e := newExit(t, gateway.ExitConfig{Resolver: names{
		"both.example.net":  {"2606:4700::1111", "8.8.4.4"},
		"mixed.example.net": {"127.0.0.1", "10.0.0.1", "2606:4700::1111"}, // what may not be reached is left out
		"dead.example.net":  {"8.8.4.4", "2606:4700::1111"},
	}})
	for _, tc := range []struct {
		target string
		came   func() bool
	}{
		{"8.8.4.4:80", came4}, {"[::ffff:8.8.4.4]:80", came4}, {"[2606:4700::1111]:80", came6}, {"[64:ff9b::808:404]:80", came64},
		{"[2002:808:404::1]:80", came6to4}, {"both.example.net:80", came4}, {"BOTH.example.net.:80", came4}, {"mixed.example.net:80", came6},
	} {
		if err := dialExit(t, e, tc.target); err != nil || !tc.came() {
			t.Errorf("%s: %v, or nobody came", tc.target, err)
		}
	}
	v4.Close()
	if err := dialExit(t, e, "dead.example.net:80"); err != nil || !came6() {
		t.Errorf("a name whose first address is dead: %v", err)
	}
}

// The address is judged again when it is dialled: what changes between is seen.
func TestExitJudgesTheAddressThatItDials(t *testing.T) {
	_, came := listenAt(t, "8.8.4.4:81")
	var asked atomic.Int32
	e := newExit(t, gateway.ExitConfig{Own: func(netip.Addr) bool { return asked.Add(1) > 1 }})
	if err := dialExit(t, e, "8.8.4.4:81"); !errors.Is(err, gateway.ErrPolicy) || came() {
		t.Errorf("%v, or somebody came", err)
	}
	if asked.Load() != 2 {
		t.Errorf("judged %d times", asked.Load())
	}
}

func TestExitErrors(t *testing.T) {
	if err := testnet.AddAddress(netip.MustParseAddr("8.8.4.4")); err != nil {
		t.Fatal(err)
	}
	cfg := gateway.ExitConfig{Resolver: names{"slow.example.net": nil}, DNSTimeout: 20 * time.Millisecond, Lookups: 1}
	e := newExit(t, cfg)
	for target, want := range map[string]gateway.TargetCode{
		"8.8.4.4:9":              gateway.TargetRefused,
		"1.1.1.1:80":             gateway.TargetUnreachable, // no route in this world
		"missing.example.net:80": gateway.TargetUnknown,
		"slow.example.net:80":    gateway.TargetTimeout,
	} {
		var got *gateway.TargetError
		if err := dialExit(t, e, target); !errors.As(err, &got) || got.Code != want {
			t.Errorf("%s: %v, want %s", target, err, want)
		}
	}

	asked := make(chan struct{})
	cfg.Resolver, cfg.DNSTimeout = lookup(func(ctx context.Context) ([]netip.Addr, error) {
		close(asked)
		<-ctx.Done()
		return nil, ctx.Err()
	}), 0
	e = newExit(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := e.Dial(ctx, gateway.Target{Name: "slow.example.net", Port: 80})
		done <- err
	}()
	<-asked
	var busy *paystream.Busy
	if err := dialExit(t, e, "second.example.net:80"); !errors.As(err, &busy) {
		t.Errorf("a second look-up where one is the limit: %v", err)
	}
	cancel()
	<-done
}

type lookup func(context.Context) ([]netip.Addr, error)

func (f lookup) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) { return f(ctx) }

func TestExitNeedsToKnowWhatIsItsOwn(t *testing.T) {
	for _, cfg := range []gateway.ExitConfig{{}, {Own: nobody}, {Relay: noRelay}} {
		if _, err := gateway.NewExit(cfg); err == nil {
			t.Error("NewExit was content")
		}
	}
}

func TestOwnAddresses(t *testing.T) {
	mine := netip.MustParseAddr("8.8.4.4")
	if err := testnet.AddAddress(mine); err != nil {
		t.Fatal(err)
	}
	own := gateway.OwnAddresses(netip.MustParseAddr("9.9.9.9"))
	for s, want := range map[string]bool{"8.8.4.4": true, "::ffff:8.8.4.4": true, "127.0.0.1": true, "9.9.9.9": true, "1.1.1.1": false} {
		if got := own(netip.MustParseAddr(s)); got != want {
			t.Errorf("own(%s) = %t", s, got)
		}
	}
}
