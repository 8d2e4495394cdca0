package e2e_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/testnet"
	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/net/proxy"
)

// chargen is a server outside that sends bytes at a steady pace for ever (RFC
// 864), on a plainly public address of a namespace of ours.
var chargen = netip.MustParseAddrPort("93.184.216.34:19")

// sixth is the same machine's other address.
var sixth = netip.MustParseAddr("2606:2800:220:1:248:1893:25c8:1946")

// names are what the relay's resolver knows.
var names = map[string]netip.Addr{
	"outside.tops-e2e.org.": chargen.Addr(),
	"private.tops-e2e.org.": netip.MustParseAddr("10.1.2.3"),
	"loop.tops-e2e.org.":    netip.MustParseAddr("127.0.0.1"),
	"meta.tops-e2e.org.":    netip.MustParseAddr("169.254.169.254"),
	"relay.tops-e2e.org.":   netip.MustParseAddr("198.18.0.5"),
}

func serveOutside(t *testing.T) *testnet.Outside {
	outside, err := testnet.NewOutside(chargen.Addr(), sixth)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { outside.Close() })
	ln, err := outside.Listen("tcp", chargen.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go generate(conn)
		}
	}()
	serveNames(t)
	return outside
}

// generate sends 100 kB a second.
func generate(conn net.Conn) {
	defer conn.Close()
	gone := make(chan struct{})
	go func() { defer close(gone); io.Copy(io.Discard, conn) }()
	chunk := make([]byte, 5000)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := conn.Write(chunk); err != nil {
			conn.Close()
			<-gone
			return
		}
		select {
		case <-tick.C:
		case <-gone:
			return
		}
	}
}

// serveNames answers as the name server that this machine is configured with.
func serveNames(t *testing.T) {
	server := netip.MustParseAddr("127.0.0.1")
	text, err := os.ReadFile("/etc/resolv.conf")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) == 2 && words[0] == "nameserver" {
			server = netip.MustParseAddr(words[1])
			break
		}
	}
	resolvers := []netip.Addr{netip.MustParseAddr("127.0.0.1")} // tor's, of its relays
	if !server.IsLoopback() {
		if err := testnet.AddAddress(server); err != nil {
			t.Fatal(err)
		}
		resolvers = append(resolvers, server)
	}
	for _, at := range resolvers {
		conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 53)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		go answerNames(conn)
	}
}

func answerNames(conn *net.UDPConn) {
	buf := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if answer, err := answerName(buf[:n]); err == nil {
			conn.WriteToUDPAddrPort(answer, from)
		}
	}
}

func answerName(query []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil || len(m.Questions) != 1 {
		return nil, errors.New("not a query")
	}
	q := m.Questions[0]
	m.Header.Response, m.Additionals = true, nil
	addr, known := names[strings.ToLower(q.Name.String())]
	switch {
	case q.Type == dnsmessage.TypePTR && strings.EqualFold(q.Name.String(), "34.216.184.93.in-addr.arpa."):
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
			Body:   &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("outside.tops-e2e.org.")},
		}}
	case !known:
		m.Header.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
			Body:   &dnsmessage.AResource{A: addr.As4()},
		}}
	}
	return m.Pack()
}

// dialSOCKS connects to a target through the client's SOCKS port.
func dialSOCKS(ctx context.Context, user, target string) (net.Conn, error) {
	dialer, err := proxy.SOCKS5("tcp", socksPort, &proxy.Auth{User: user, Password: "x"}, nil)
	if err != nil {
		return nil, err
	}
	return dialer.(proxy.ContextDialer).DialContext(ctx, "tcp", target)
}

// A download reads until its connection ends.
type download struct {
	bytes atomic.Int64
	done  chan struct{}
	err   error // why it ended, once done is closed
}

// download begins one through a paid circuit; it ends with the test at the latest.
func startDownload(t *testing.T, circ string) *download {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := dialSOCKS(ctx, "circ="+circ, chargen.String())
	if err != nil {
		t.Fatalf("connect through the paid circuit: %v", err)
	}
	return read(t, conn)
}

func read(t *testing.T, conn net.Conn) *download {
	d := &download{done: make(chan struct{})}
	go func() {
		defer close(d.done)
		defer conn.Close()
		buf := make([]byte, 16<<10)
		for d.err == nil {
			var n int
			n, d.err = conn.Read(buf)
			d.bytes.Add(int64(n))
		}
	}()
	t.Cleanup(func() { conn.Close(); <-d.done })
	return d
}

func (d *download) ended() bool {
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

// goesOn checks that bytes still come.
func (d *download) goesOn(t *testing.T) {
	t.Helper()
	before := d.bytes.Load()
	until(t, "the download to go on", 5*time.Second, func() bool {
		if d.ended() {
			t.Fatalf("the download ended: %v", d.err)
		}
		return d.bytes.Load() > before
	})
}
