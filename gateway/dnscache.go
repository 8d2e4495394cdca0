package gateway

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// dnsAnswer is what is known of a name: its addresses, or that it has none.
type dnsAnswer struct {
	addrs []netip.Addr
	ttl   time.Duration
}

func (a dnsAnswer) err() error {
	if len(a.addrs) > 0 {
		return nil
	}
	return &net.DNSError{Err: "no such host", IsNotFound: true} // without its name: this may end in a log
}

// and joins the answers for both families. The addresses of one live no longer
// for the other's having none.
func (a dnsAnswer) and(b dnsAnswer) dnsAnswer {
	switch {
	case len(a.addrs) > 0 && len(b.addrs) == 0:
		return a
	case len(b.addrs) > 0 && len(a.addrs) == 0:
		return b
	}
	return dnsAnswer{addrs: slices.Concat(a.addrs, b.addrs), ttl: min(a.ttl, b.ttl)}
}

// unsure is the longest that half an answer, or that there is none, is kept.
const unsure = time.Minute

func (a dnsAnswer) briefly() dnsAnswer {
	a.ttl = min(a.ttl, unsure)
	return a
}

// dnsCache keeps answers for as long as they said, and no more of them than it
// may. When it is full any one of them goes: nobody can count on which.
type dnsCache struct {
	max int
	ttl time.Duration
	now func() time.Time

	mu sync.Mutex
	by map[string]cachedAnswer
}

type cachedAnswer struct {
	dnsAnswer
	until time.Time
}

func newDNSCache(names int, ttl time.Duration, now func() time.Time) dnsCache {
	return dnsCache{max: names, ttl: ttl, now: now, by: make(map[string]cachedAnswer)}
}

func (c *dnsCache) get(name string) (dnsAnswer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.by[name]
	if ok && !c.now().Before(a.until) {
		delete(c.by, name)
		return dnsAnswer{}, false
	}
	return a.dnsAnswer, ok
}

func (c *dnsCache) put(name string, a dnsAnswer) {
	ttl := min(a.ttl, c.ttl)
	if len(a.addrs) == 0 {
		ttl = min(ttl, unsure)
	}
	if ttl <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.by[name]; !there && len(c.by) >= c.max {
		c.evictLocked()
	}
	c.by[name] = cachedAnswer{a, c.now().Add(ttl)}
}

// evictLocked looks at a few and drops those that are stale; if none is, the
// last that it looked at.
func (c *dnsCache) evictLocked() {
	const few = 16
	looked, now, last := 0, c.now(), ""
	for name, a := range c.by {
		if last = name; !now.Before(a.until) {
			delete(c.by, name)
		}
		if looked++; looked == few {
			break
		}
	}
	if len(c.by) >= c.max {
		delete(c.by, last)
	}
}
