package setup

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/el-tor/tops/internal/statefile"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// added remembers the address that was given to lo, so that undo knows whose it is.
type added struct {
	Address netip.Addr `json:"address"`
}

func addedFile(dataDir string) string { return filepath.Join(dataDir, "address.json") }

// loopback is the interface, and an address as a host alone on it.
func loopback(a netip.Addr) (netlink.Link, *netlink.Addr, error) {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return nil, nil, fmt.Errorf("interface lo: %w", err)
	}
	return lo, &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}}, nil
}

// addAddress gives lo an address, and remembers before that it did: then the
// gateway can listen there, and this machine's tor reaches it there.
func addAddress(dataDir string, a netip.Addr) error {
	lo, addr, err := loopback(a)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return err
	}
	if err := statefile.Save(addedFile(dataDir), added{a}); err != nil {
		return err
	}
	if err := netlink.AddrAdd(lo, addr); err != nil {
		err = errors.Join(err, os.Remove(addedFile(dataDir)))
		return fmt.Errorf("ip addr add %s/32 dev lo (it needs root): %w", a, err)
	}
	return nil
}

// removeAddress takes away what addAddress gave; none if it gave nothing. One that
// is gone already, with a restart of the machine, is no error.
func removeAddress(dataDir string) (removed []string, err error) {
	var was added
	if err := statefile.Load(addedFile(dataDir), &was); err != nil || !was.Address.IsValid() {
		return nil, err
	}
	lo, addr, err := loopback(was.Address)
	if err != nil {
		return nil, err
	}
	if err := netlink.AddrDel(lo, addr); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
		return nil, fmt.Errorf("ip addr del %s/32 dev lo (it needs root): %w", was.Address, err)
	}
	return []string{was.Address.String()}, os.Remove(addedFile(dataDir))
}
