package controllers_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/testnet"
	"golang.org/x/net/proxy"
)

// serveCounters runs a server outside that counts from 0 for ever, eight bytes a
// number, so that who reads knows what it has missed: 200 kB a second.
func serveCounters(t *testing.T) {
	outside, err := testnet.NewOutside(counters.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { outside.Close() })
	ln, err := outside.Listen("tcp", counters.String())
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
			go count(conn)
		}
	}()
}

func count(conn net.Conn) {
	defer conn.Close()
	gone := make(chan struct{})
	go func() { defer close(gone); io.Copy(io.Discard, conn) }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := uint64(0); ; {
		var chunk []byte
		for range 500 {
			chunk = binary.BigEndian.AppendUint64(chunk, n)
			n++
		}
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

// A download reads numbers until its connection ends or one is missing.
type download struct {
	numbers atomic.Uint64
	done    chan struct{}
	err     error // why it ended, once done is closed
}

// fetch begins a download through a SOCKS port as a user; it ends with the test.
func fetch(t *testing.T, socks, user string) *download {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := dialSOCKS(ctx, socks, user)
	if err != nil {
		t.Fatalf("connect as %q: %v", user, err)
	}
	d := &download{done: make(chan struct{})}
	go func() {
		defer close(d.done)
		defer conn.Close()
		var number [8]byte
		for r := bufio.NewReader(conn); ; d.numbers.Add(1) {
			if _, d.err = io.ReadFull(r, number[:]); d.err != nil {
				return
			}
			if got, want := binary.BigEndian.Uint64(number[:]), d.numbers.Load(); got != want {
				d.err = fmt.Errorf("number %d came where %d was due", got, want)
				return
			}
		}
	}()
	t.Cleanup(func() { conn.Close(); <-d.done })
	return d
}

func dialSOCKS(ctx context.Context, socks, user string) (net.Conn, error) {
	dialer, err := proxy.SOCKS5("tcp", socks, &proxy.Auth{User: user, Password: "x"}, nil)
	if err != nil {
		return nil, err
	}
	return dialer.(proxy.ContextDialer).DialContext(ctx, "tcp", counters.String())
}

// goesOn checks that more comes, with nothing lost.
func (d *download) goesOn(t *testing.T) {
	t.Helper()
	before := d.numbers.Load()
	until(t, "the download to go on", 10*time.Second, func() bool {
		select {
		case <-d.done:
			t.Fatalf("the download ended after %d numbers: %v", d.numbers.Load(), d.err)
		default:
		}
		return d.numbers.Load() > before+1000
	})
}
