package gateway_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/testnet"
)

// zone is what a name server of the tests knows: the answers to a name and type,
// in turns.
type zone struct {
	mu    sync.Mutex
	asked map[string]int
	reply func(q dnsmessage.Question, nth int, m *dnsmessage.Message) (send bool)
}

func (z *zone) answer(query []byte) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil || len(m.Questions) != 1 || !m.RecursionDesired {
		return nil
	}
	q := m.Questions[0]
	key := q.Name.String() + " " + strings.TrimPrefix(q.Type.String(), "Type")
	z.mu.Lock()
	nth := z.asked[key]
	z.asked[key]++
	z.mu.Unlock()
	m.Response, m.Additionals = true, nil
	if !z.reply(q, nth, &m) {
		return nil
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

func (z *zone) count(key string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked[key]
}

// nameServer answers on a port of its own, over UDP and TCP. before, if not nil,
// is sent ahead of each datagram's answer.
func nameServer(t testing.TB, before func(answer []byte) [][]byte, reply func(dnsmessage.Question, int, *dnsmessage.Message) bool) (netip.AddrPort, *zone) {
	t.Helper()
	z := &zone{asked: make(map[string]int), reply: reply}
	ln := listen(t)
	at := ln.Addr().(*net.TCPAddr).AddrPort()
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { udp.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := udp.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			query := slices.Clone(buf[:n])
			go func() { // an answer that makes itself wait holds up no other question
				b := z.answer(query)
				if b == nil {
					return
				}
				if before != nil {
					for _, lie := range before(b) {
						udp.WriteToUDPAddrPort(lie, from)
					}
				}
				udp.WriteToUDPAddrPort(b, from)
			}()
		}
	}()
	go each(ln, func(c net.Conn) {
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err == nil {
			query := make([]byte, binary.BigEndian.Uint16(length[:]))
			if _, err := io.ReadFull(c, query); err == nil {
				b := z.answer(query)
				c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
			}
		}
	})
	return at, z
}

// has answers with addresses of the type that is asked for.
func has(m *dnsmessage.Message, q dnsmessage.Question, ttl uint32, addrs ...string) bool {
	for _, s := range addrs {
		a := netip.MustParseAddr(s)
		h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: ttl}
		switch {
		case a.Is4() && q.Type == dnsmessage.TypeA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
		case a.Is6() && q.Type == dnsmessage.TypeAAAA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	return true
}

func lookUp(t testing.TB, d *gateway.DNS, name string) ([]netip.Addr, error) {
	t.Helper()
	return d.LookupNetIP(t.Context(), "ip", name)
}

func addrs(list ...string) (out []netip.Addr) {
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func TestDNS(t *testing.T) {
	soa := func(m *dnsmessage.Message, q dnsmessage.Question) bool {
		m.Authorities = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: dnsmessage.TypeSOA, Class: q.Class, TTL: 900},
			Body:   &dnsmessage.SOAResource{NS: q.Name, MBox: q.Name, MinTTL: 300},
		}}
		return true
	}
	server, z := nameServer(t, func(b []byte) [][]byte { // what a stranger would send who guesses
		id, question := append([]byte(nil), b...), append([]byte(nil), b...)
		id[0] ^= 1
		question[13] ^= 1
		return [][]byte{id, question, b[:11], nil, make([]byte, 100)}
	}, func(q dnsmessage.Question, nth int, m *dnsmessage.Message) bool {
		switch q.Name.String() {
		case "both.example.net.":
			return has(m, q, 60, "8.8.4.4", "8.8.8.8", "2606:4700::1111")
		case "alias.example.net.":
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: dnsmessage.TypeCNAME, Class: q.Class, TTL: 60},
				Body:   &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("both.example.net.")},
			})
			q.Name = dnsmessage.MustNewName("both.example.net.")
			return has(m, q, 60, "8.8.4.4")
		case "fresh.example.net.": // never to be kept
			return has(m, q, 0, fmt.Sprintf("8.8.4.%d", nth+1))
		case "none.example.net.":
			m.RCode = dnsmessage.RCodeNameError
			return soa(m, q)
		case "empty.example.net.":
			return soa(m, q)
		case "large.example.net.":
			if nth == 0 && q.Type == dnsmessage.TypeA {
				m.Truncated = true
				return true
			}
			for i := range 100 {
				has(m, q, 60, fmt.Sprintf("9.9.9.%d", i+1))
			}
			return true
		case "half.example.net.": // a server that drops questions for IPv6
			return q.Type == dnsmessage.TypeA && has(m, q, 600, "8.8.4.4")
		}
		m.RCode = dnsmessage.RCodeServerFailure
		return true
	})
	d := gateway.NewDNS(gateway.DNSConfig{Servers: []netip.AddrPort{server}, Timeout: 2 * time.Second})
	for range 2 {
		for name, want := range map[string][]netip.Addr{
			"both.example.net": addrs("8.8.4.4", "8.8.8.8", "2606:4700::1111"), "BOTH.example.net.": addrs("8.8.4.4", "8.8.8.8", "2606:4700::1111"),
			"alias.example.net": addrs("8.8.4.4"), "half.example.net": addrs("8.8.4.4"),
		} {
			got, err := lookUp(t, d, name)
			if err != nil || len(got) != len(want) {
				t.Fatalf("%s: %v, %v", name, got, err)
			}
			for _, a := range want {
				if !contains(got, a) {
					t.Errorf("%s: %v, want %v", name, got, want)
				}
			}
		}
		for _, name := range []string{"none.example.net", "empty.example.net"} {
			var dns *net.DNSError
			if got, err := lookUp(t, d, name); !errors.As(err, &dns) || !dns.IsNotFound || strings.Contains(err.Error(), "example") {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
		if got, err := lookUp(t, d, "large.example.net"); err != nil || len(got) != 16 {
			t.Errorf("an answer that does not fit: %v, %v", got, err)
		}
	}
	for key, want := range map[string]int{"both.example.net. A": 1, "both.example.net. AAAA": 1, "none.example.net. A": 1, "empty.example.net. AAAA": 1,
		"large.example.net. A": 2} {
		if got := z.count(key); got != want {
			t.Errorf("%s was asked for %d times, want %d", key, got, want)
		}
	}
	for i := range 3 {
		if got, err := lookUp(t, d, "fresh.example.net"); err != nil || got[0] != addrs(fmt.Sprintf("8.8.4.%d", i+1))[0] {
			t.Errorf("a name with TTL 0, the %d. time: %v, %v", i+1, got, err)
		}
	}
	if _, err := lookUp(t, d, "broken.example.net"); err == nil {
		t.Error("a server that fails was believed")
	}
	if _, err := lookUp(t, d, strings.Repeat("a.", 200)); err == nil {
		t.Error("a name that is too long was resolved")
	}
}

func contains(list []netip.Addr, a netip.Addr) bool {
	for _, b := range list {
		if a == b {
			return true
		}
	}
	return false
}

// A server that is dead or fails costs time, and no names.
func TestDNSAsksTheNextServer(t *testing.T) {
	silent, _ := nameServer(t, nil, func(dnsmessage.Question, int, *dnsmessage.Message) bool { return false })
	failing, _ := nameServer(t, nil, func(_ dnsmessage.Question, _ int, m *dnsmessage.Message) bool {
		m.RCode = dnsmessage.RCodeServerFailure
		return true
	})
	good, _ := nameServer(t, nil, func(q dnsmessage.Question, _ int, m *dnsmessage.Message) bool { return has(m, q, 60, "8.8.4.4") })
	d := gateway.NewDNS(gateway.DNSConfig{Servers: []netip.AddrPort{silent, failing, good}, Timeout: 300 * time.Millisecond})
	if got, err := lookUp(t, d, "example.com"); err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
	d = gateway.NewDNS(gateway.DNSConfig{Servers: []netip.AddrPort{silent}, Timeout: 50 * time.Millisecond})
	var dns *net.DNSError
	if _, err := lookUp(t, d, "example.com"); !errors.As(err, &dns) || !dns.IsTimeout {
		t.Errorf("nobody answers: %v, want a timeout", err)
	}
}

// However many want the same name, the server is asked once; and whoever gives
// up takes nothing from the others.
func TestDNSQuestionsAreShared(t *testing.T) {
	release := make(chan struct{})
	server, z := nameServer(t, nil, func(q dnsmessage.Question, _ int, m *dnsmessage.Message) bool {
		<-release
		return has(m, q, 60, "8.8.4.4")
	})
	d := gateway.NewDNS(gateway.DNSConfig{Servers: []netip.AddrPort{server}, Timeout: 10 * time.Second})
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := d.LookupNetIP(ctx, "ip", "example.com")
		gone <- err
	}()
	eventually(t, "the question", func() bool { return z.count("example.com. A") == 1 })
	var all sync.WaitGroup
	started := make(chan struct{}, 20)
	for range cap(started) {
		all.Go(func() {
			started <- struct{}{}
			if got, err := lookUp(t, d, "example.com"); err != nil || len(got) != 1 {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	for range cap(started) {
		<-started
	}
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up: %v", err)
	}
	close(release)
	all.Wait()
	if n := z.count("example.com. A"); n != 1 {
		t.Errorf("%d questions for one name", n)
	}
}

// A name that is public when it is judged and private when it is dialled: each
// tunnel goes to an address that was judged, or nowhere.
func TestRebinding(t *testing.T) {
	_, public := listenAt(t, "8.8.4.4:82")
	_, private := listenAt(t, "127.0.0.1:82")
	_, meta := listenAt(t, "169.254.169.254:82")
	server, z := nameServer(t, nil, func(q dnsmessage.Question, nth int, m *dnsmessage.Message) bool {
		switch nth % 3 {
		case 0:
			return has(m, q, 0, "8.8.4.4", "::ffff:127.0.0.1")
		case 1:
			return has(m, q, 0, "127.0.0.1", "::1")
		default:
			return has(m, q, 0, "169.254.169.254", "8.8.4.4")
		}
	})
	e := newExit(t, gateway.ExitConfig{Resolver: gateway.NewDNS(gateway.DNSConfig{Servers: []netip.AddrPort{server}})})
	allowed := 0
	for range 30 {
		switch err := dialExit(t, e, "rebind.example.net:82"); {
		case err == nil:
			allowed++
		case !errors.Is(err, gateway.ErrPolicy):
			t.Fatal(err)
		}
	}
	if n := z.count("rebind.example.net. A"); n != 30 || allowed != 20 {
		t.Errorf("%d of 30 dials were allowed after %d answers, want 20 of 30", allowed, n)
	}
	if !public() || private() || meta() {
		t.Error("somebody reached a private address, or nobody the public one")
	}
}

// An address that does not answer gets company after a moment.
func TestExitTriesTheNextAddressSoon(t *testing.T) {
	listenAt(t, "8.8.4.4:83")
	deaf(t, "8.8.8.8:83")
	e := newExit(t, gateway.ExitConfig{Resolver: names{"slow.example.net": {"8.8.8.8", "8.8.4.4"}}})
	start := time.Now()
	if err := dialExit(t, e, "slow.example.net:83"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 200*time.Millisecond || took > 1500*time.Millisecond {
		t.Errorf("it took %v, want a head start of 250 ms and not much more", took)
	}
}

// deaf makes the address this machine's, and listens there without ever taking
// anybody: its queue is full.
func deaf(t *testing.T, addr string) {
	t.Helper()
	at := netip.MustParseAddrPort(addr)
	if err := testnet.AddAddress(at.Addr()); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		c, err := net.DialTimeout("tcp", addr, 100*time.Millisecond)
		if err != nil {
			return
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("its queue has no end")
}
