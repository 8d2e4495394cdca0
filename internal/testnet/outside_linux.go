package testnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Outside is a second network namespace, joined to the network's by a pair of
// virtual cables: the internet, as far as the relays are concerned. A server that
// is to be fetched from through a gateway listens here, because a gateway connects
// to no address of its own machine, and the network's namespace is one machine.
type Outside struct {
	ns netns.NsHandle
}

// cableName is the link to the outside, as the network's namespace sees it.
const cableName = "outside"

// The two ends of the cable, on link-local nets that nobody routes.
var (
	insideEnds  = []netip.Prefix{netip.MustParsePrefix("169.254.77.1/30"), netip.MustParsePrefix("fe80::77:1/64")}
	outsideEnds = []netip.Prefix{netip.MustParsePrefix("169.254.77.2/30"), netip.MustParsePrefix("fe80::77:2/64")}
)

// NewOutside makes the namespace, with one address for each server, and routes
// the addresses there. The process must have called [Enter]; everything goes with
// the process, or with Close.
func NewOutside(addrs ...netip.Addr) (_ *Outside, err error) {
	if !entered() {
		return nil, fmt.Errorf("testnet: not in a namespace of our own; call Enter first")
	}
	o := &Outside{}
	if o.ns, err = newNamespace(); err != nil {
		return nil, fmt.Errorf("testnet: making the outside: %w", err)
	}
	if err := o.join(addrs); err != nil {
		o.Close()
		return nil, fmt.Errorf("testnet: joining the outside: %w", err)
	}
	return o, nil
}

// newNamespace makes a namespace without moving the process there.
func newNamespace() (ns netns.NsHandle, err error) {
	onOwnThread(func() {
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			ns, err = netns.Get()
		}
	})
	return ns, err
}

// onOwnThread runs f on a thread that ends with it, since what f does to its
// thread must happen to nobody else. It is never the main one, which does not end
// and by which the process is known.
func onOwnThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			onOwnThread(f) // gets another: this one is taken meanwhile
			runtime.UnlockOSThread()
			return
		}
		f() // still locked: the thread ends with the goroutine
	}()
	<-done
}

func (o *Outside) join(addrs []netip.Addr) error {
	cable := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: cableName}, PeerName: "inside",
		PeerNamespace: netlink.NsFd(o.ns),
	}
	if err := netlink.LinkAdd(cable); err != nil {
		return err
	}
	here, err := netlink.NewHandle()
	if err != nil {
		return err
	}
	defer here.Close()
	there, err := netlink.NewHandleAt(o.ns)
	if err != nil {
		return err
	}
	defer there.Close()
	near, err := raise(here, cableName, insideEnds)
	if err != nil {
		return err
	}
	back, err := raise(there, "inside", outsideEnds)
	if err != nil {
		return err
	}
	lo, err := there.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := there.LinkSetUp(lo); err != nil {
		return err
	}
	for _, a := range addrs {
		if err := there.AddrAdd(lo, &netlink.Addr{IPNet: host(a)}); err != nil {
			return err
		}
		if err := here.RouteAdd(&netlink.Route{LinkIndex: near.Attrs().Index, Dst: host(a), Gw: endFor(outsideEnds, a)}); err != nil {
			return err
		}
	}
	for _, everywhere := range []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)} {
		to := &net.IPNet{IP: everywhere.Addr().AsSlice(), Mask: net.CIDRMask(0, everywhere.Addr().BitLen())}
		if err := there.RouteAdd(&netlink.Route{LinkIndex: back.Attrs().Index, Dst: to, Gw: endFor(insideEnds, everywhere.Addr())}); err != nil {
			return err
		}
	}
	return nil
}

// endFor is the end of the cable that leads to an address.
func endFor(ends []netip.Prefix, a netip.Addr) net.IP {
	if a.Is4() {
		return ends[0].Addr().AsSlice()
	}
	return ends[1].Addr().AsSlice()
}

// raise gives one end of the cable its addresses. Nobody else can have them, so that
// IPv6 need not find that out first.
func raise(h *netlink.Handle, name string, addrs []netip.Prefix) (netlink.Link, error) {
	link, err := h.LinkByName(name)
	if err != nil {
		return nil, err
	}
	for _, a := range addrs {
		ipnet := &net.IPNet{IP: a.Addr().AsSlice(), Mask: net.CIDRMask(a.Bits(), a.Addr().BitLen())}
		if err := h.AddrAdd(link, &netlink.Addr{IPNet: ipnet, Flags: unix.IFA_F_NODAD}); err != nil {
			return nil, err
		}
	}
	return link, h.LinkSetUp(link)
}

func host(a netip.Addr) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}
}

// Listen listens on an address of the outside. A socket stays in the namespace in
// which it was made, whoever uses it.
func (o *Outside) Listen(network, address string) (ln net.Listener, err error) {
	onOwnThread(func() {
		if err = netns.Set(o.ns); err == nil {
			ln, err = net.Listen(network, address)
		}
	})
	return ln, err
}

// Close cuts the cable, so that another outside can be joined at once, and gives the
// namespace up, which goes when the last socket in it does.
func (o *Outside) Close() error {
	err := o.ns.Close()
	if cable, gone := netlink.LinkByName(cableName); gone == nil {
		err = errors.Join(err, netlink.LinkDel(cable))
	}
	return err
}
