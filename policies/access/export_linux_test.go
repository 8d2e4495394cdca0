package access

import "net/netip"

// OwnerIn is the user whose sockets at local are in the tables.
func OwnerIn(local netip.AddrPort, tables ...string) (uid uint32, err error) {
	s, err := socketIn(local, netip.AddrPort{}, tables...)
	return s.uid, err
}
