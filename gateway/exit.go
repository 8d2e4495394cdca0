package gateway

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/el-tor/tops/paystream"
)

// Resolver is the part of *net.Resolver that an [Exit] asks. [DNS] is the one
// that a relay uses.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// ExitConfig says what an [Exit] may connect to. Own and Relay are needed, so
// that nobody leaves them out by mistake.
type ExitConfig struct {
	Policy Policy
	Own    func(netip.Addr) bool     // whether an address is this machine's: see [OwnAddresses]
	Relay  func(netip.AddrPort) bool // whether it is a relay's OR port

	Resolver    Resolver      // a [DNS] that asks the system's name servers, if nil
	Lookups     int           // at once, 1024
	DNSTimeout  time.Duration // for one name, 10 s
	DialTimeout time.Duration // for one target, names and all its addresses, 20 s
}

// Exit dials the targets of tunnels, within its policy and never to where
// nobody may go.
type Exit struct {
	cfg     ExitConfig
	lookups chan struct{}
}

// NewExit makes an exit, or says what its configuration lacks.
func NewExit(cfg ExitConfig) (*Exit, error) {
	if cfg.Own == nil || cfg.Relay == nil {
		return nil, errors.New("an exit needs to know its own addresses and those of relays")
	}
	if cfg.Resolver == nil {
		cfg.Resolver = NewDNS(DNSConfig{})
	}
	cfg.DNSTimeout = cmp.Or(cfg.DNSTimeout, 10*time.Second)
	cfg.DialTimeout = cmp.Or(cfg.DialTimeout, 20*time.Second)
	return &Exit{cfg: cfg, lookups: make(chan struct{}, cmp.Or(cfg.Lookups, 1024))}, nil
}

// control looks at the address that the socket is about to be connected to: the
// last word, whatever was resolved before.
func (e *Exit) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !e.allowed(to) {
		return ErrPolicy
	}
	return nil
}

// allowed reports whether a connection to the address may be made: by itself,
// and by every address that is embedded in it.
func (e *Exit) allowed(to netip.AddrPort) bool {
	for _, a := range meanings(to.Addr()) {
		at := netip.AddrPortFrom(a, to.Port())
		if specialUse(a) || e.cfg.Own(a) || e.cfg.Relay(at) || !e.cfg.Policy.Accepts(at) {
			return false
		}
	}
	return true
}

// resolve finds the target's addresses.
func (e *Exit) resolve(ctx context.Context, t Target) ([]netip.Addr, error) {
	if t.Addr.IsValid() {
		return []netip.Addr{t.Addr.Unmap()}, nil
	}
	if !e.cfg.Policy.acceptsPort(t.Port) || specialName(t.Name) {
		return nil, ErrPolicy
	}
	select {
	case e.lookups <- struct{}{}:
		defer func() { <-e.lookups }()
	default:
		return nil, &paystream.Busy{RetryAfter: time.Second, Reason: "too many names are being resolved"}
	}
	ctx, cancel := context.WithTimeout(ctx, e.cfg.DNSTimeout)
	defer cancel()
	addrs, err := e.cfg.Resolver.LookupNetIP(ctx, "ip", t.Name+".") // the dot: no search list
	if err != nil {
		return nil, targetError(err)
	}
	out := make([]netip.Addr, 0, len(addrs))
	for _, a := range addrs {
		out = append(out, a.Unmap())
	}
	return out, nil
}

// targetError tells the payer how it failed, without the words of the system,
// which hold addresses.
func targetError(err error) error {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, ErrPolicy):
		return ErrPolicy
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return &TargetError{Code: TargetTimeout}
	case errors.As(err, &dns):
		return &TargetError{Code: TargetUnknown}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &TargetError{Code: TargetRefused}
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		return &TargetError{Code: TargetUnreachable}
	}
	return &TargetError{Code: TargetFailed}
}
