package proxy

import (
	"fmt"
	"net/netip"

	"github.com/el-tor/tops/policies/access"
)

// Profiles is an Access by the profiles of a policy.
type Profiles struct{ Policy *access.Policy }

// Admit finds the profile for a controller.
func (p Profiles) Admit(c Controller) (Guard, error) {
	id, err := Identify(c)
	if err != nil {
		return nil, err
	}
	g, err := p.Policy.Admit(id)
	if err != nil {
		return nil, err
	}
	return g, nil
}

// Identify finds out who a controller is: by what the kernel says of a process
// on this machine, else by address.
func Identify(c Controller) (access.Identity, error) {
	if c.Peer != nil {
		id := access.LocalUnix(c.Peer.PID, c.Peer.UID)
		id.Listener = c.Local
		return id, nil
	}
	its, err1 := netip.ParseAddrPort(c.Remote)
	ours, err2 := netip.ParseAddrPort(c.Local)
	if err1 != nil || err2 != nil {
		return access.Identity{}, fmt.Errorf("who connected is not known")
	}
	// A process on this machine may come by any of its addresses.
	if !its.Addr().Unmap().IsLoopback() && its.Addr().Unmap() != ours.Addr().Unmap() {
		return access.Identity{Addr: its, Listener: c.Local}, nil
	}
	id, err := access.LocalTCP(its, ours)
	if err != nil {
		return access.Identity{}, fmt.Errorf("who connected is not known")
	}
	id.Listener = c.Local
	return id, nil
}
