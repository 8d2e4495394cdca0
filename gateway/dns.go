package gateway

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"
)

// DNSConfig of a [DNS]; its zero value uses the system's name servers.
type DNSConfig struct {
	// Servers are the recursive name servers to ask, the first that answers; none:
	// those of /etc/resolv.conf, followed as that changes.
	Servers []netip.AddrPort

	Timeout time.Duration // of one question to one server, 3 s
	Names   int           // in the cache, 8192: some 2 MB
	MaxTTL  time.Duration // the longest that an answer is kept, 1 h; what does not exist a minute
}

// DNS resolves names as an exit needs it (RFC 1035, RFC 3596): addresses only,
// from recursive servers, each answer kept for as long as its TTL says. The
// standard library's resolver does not tell the TTL, and looks names up in
// /etc/hosts, which is nobody else's business.
//
// Each question has a socket, and so a port, of its own and a random id. An
// answer that does not fit its question is not the answer: it goes on waiting.
type DNS struct {
	cfg     DNSConfig
	system  resolvConf
	cache   dnsCache
	flights singleflight.Group // one question at a time for a name, however many wait for it
}

var _ Resolver = (*DNS)(nil)

// NewDNS makes a resolver that knows nothing yet.
func NewDNS(cfg DNSConfig) *DNS {
	cfg.Timeout = cmp.Or(cfg.Timeout, 3*time.Second)
	cfg.Names = cmp.Or(cfg.Names, 8192)
	cfg.MaxTTL = cmp.Or(cfg.MaxTTL, time.Hour)
	return &DNS{cfg: cfg, cache: newDNSCache(cfg.Names, cfg.MaxTTL, time.Now), system: resolvConf{path: "/etc/resolv.conf"}}
}

// LookupNetIP finds the addresses of a name; network is "ip". Its errors are
// *net.DNSError and the context's.
func (d *DNS) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if network != "ip" {
		return nil, net.UnknownNetworkError(network)
	}
	name := strings.ToLower(strings.TrimSuffix(host, ".")) + "."
	if a, ok := d.cache.get(name); ok {
		return a.addrs, a.err()
	}
	// Whoever gives up leaves the question to the others that wait for it.
	flight := d.flights.DoChan(name, func() (any, error) {
		if a, ok := d.cache.get(name); ok { // it came between our look and this flight
			return a, nil
		}
		a, err := d.resolve(context.WithoutCancel(ctx), name)
		if err == nil {
			d.cache.put(name, a)
		}
		return a, err
	})
	select {
	case r := <-flight:
		if r.Err != nil {
			return nil, r.Err
		}
		a := r.Val.(dnsAnswer)
		return a.addrs, a.err()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// lateFamily is how long one family of addresses waits for the other.
const lateFamily = 250 * time.Millisecond

// resolve asks for IPv4 and IPv6 addresses at once. When one of the two is there
// and the other makes itself wait, the one is enough for now.
func (d *DNS) resolve(ctx context.Context, name string) (dnsAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*d.cfg.Timeout)
	defer cancel()
	servers := d.cfg.Servers
	if len(servers) == 0 {
		servers = d.system.servers()
	}
	type result struct {
		dnsAnswer
		err error
	}
	results := make(chan result, 2)
	for _, kind := range []dnsType{typeA, typeAAAA} {
		go func() {
			a, err := d.ask(ctx, servers, name, kind)
			results <- result{a, err}
		}()
	}
	first := <-results
	if first.err == nil && len(first.addrs) > 0 {
		defer time.AfterFunc(lateFamily, cancel).Stop()
	}
	second := <-results
	switch {
	case first.err == nil && second.err == nil:
		return first.and(second.dnsAnswer), nil
	case first.err == nil && len(first.addrs) > 0:
		return first.briefly(), nil
	case second.err == nil && len(second.addrs) > 0:
		return second.briefly(), nil
	}
	return dnsAnswer{}, cmp.Or(first.err, second.err)
}

// ask puts one question to one server after the other, each twice, until one
// knows.
func (d *DNS) ask(ctx context.Context, servers []netip.AddrPort, name string, kind dnsType) (dnsAnswer, error) {
	var last error
	for range 2 {
		for _, server := range servers {
			a, err := d.exchange(ctx, server, name, kind)
			if err == nil {
				return a, nil
			}
			last = err
			if ctx.Err() != nil {
				return a, last
			}
		}
	}
	if last == nil {
		last = errors.New("no name server is known")
	}
	return dnsAnswer{}, last
}

// exchange asks one server, over TCP if the answer does not fit a datagram.
func (d *DNS) exchange(ctx context.Context, server netip.AddrPort, name string, kind dnsType) (a dnsAnswer, err error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	q, err := newQuestion(name, kind)
	if err != nil {
		return a, &net.DNSError{Err: err.Error(), IsNotFound: true}
	}
	for _, network := range []string{"udp", "tcp"} {
		if a, err = q.over(ctx, network, server); !errors.Is(err, errTruncated) {
			break
		}
	}
	if err == nil {
		return a, nil
	}
	var timeout net.Error
	timedOut := errors.As(err, &timeout) && timeout.Timeout() || ctx.Err() != nil
	return a, &net.DNSError{Err: "the name server did not help", IsTimeout: timedOut, IsTemporary: true} // says neither name nor server
}
