package gateway

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"
)

// maxAddrs is how many of a name's addresses are tried, and headStart how long
// each has before the next is tried beside it (RFC 8305 §5).
const (
	maxAddrs  = 4
	headStart = 250 * time.Millisecond
)

// Dial connects to the target: to the first of its addresses that may be and
// can be reached. The families take turns, IPv4 first as tor's exits have it; an
// address that makes itself wait gets company, and the first to answer wins.
func (e *Exit) Dial(ctx context.Context, t Target) (*net.TCPConn, error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.DialTimeout)
	defer cancel() // whoever lost the race as well
	addrs, err := e.resolve(ctx, t)
	if err != nil {
		return nil, err
	}
	addrs = slices.DeleteFunc(addrs, func(a netip.Addr) bool { return !e.allowed(netip.AddrPortFrom(a, t.Port)) })
	if len(addrs) == 0 {
		return nil, ErrPolicy
	}
	addrs = takeTurns(addrs)
	return e.race(ctx, addrs[:min(len(addrs), maxAddrs)], t.Port)
}

// takeTurns puts IPv4 and IPv6 addresses in turns, each in the order that the
// name server gave.
func takeTurns(addrs []netip.Addr) []netip.Addr {
	var four, six, out []netip.Addr
	for _, a := range addrs {
		if a.Is4() {
			four = append(four, a)
		} else {
			six = append(six, a)
		}
	}
	for len(four)+len(six) > 0 {
		out = append(append(out, four[:min(1, len(four))]...), six[:min(1, len(six))]...)
		four, six = four[min(1, len(four)):], six[min(1, len(six)):]
	}
	return out
}

// race dials the addresses, each when those before it have failed or had their
// head start.
func (e *Exit) race(ctx context.Context, addrs []netip.Addr, port uint16) (*net.TCPConn, error) {
	ctx, cancel := context.WithCancel(ctx)
	type result struct {
		conn *net.TCPConn
		err  error
	}
	results := make(chan result)
	running, next := 0, 0
	defer func() { // who comes too late goes again
		cancel()
		for ; running > 0; running-- {
			if r := <-results; r.conn != nil {
				r.conn.Close()
			}
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var last error
	for next < len(addrs) || running > 0 {
		select {
		case <-timer.C:
		case r := <-results:
			if running--; r.err == nil {
				return r.conn, nil
			}
			last = r.err
		}
		if next < len(addrs) {
			to := netip.AddrPortFrom(addrs[next], port)
			go func() {
				conn, err := e.dialOne(ctx, to)
				results <- result{conn, err}
			}()
			next++
			running++
			timer.Reset(headStart)
		}
	}
	return nil, targetError(last)
}

// dialOne dials one address.
func (e *Exit) dialOne(ctx context.Context, to netip.AddrPort) (*net.TCPConn, error) {
	d := net.Dialer{ControlContext: e.control, KeepAlive: time.Minute}
	d.SetMultipathTCP(false) // its sockets cannot be spliced
	conn, err := d.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}
