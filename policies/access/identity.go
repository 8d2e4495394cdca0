package access

import (
	"net/netip"
	"os/user"
	"strconv"
)

// Identity is what is known of a controller when it connects. Local ones are
// told by the kernel ([LocalTCP], [LocalUnix]), others by their address.
type Identity struct {
	Local bool // on this machine

	UID      uint32 // Local
	User     string // Local: the name of UID, or its number
	Exe      string // Local: path of the executable; empty: not permitted to see
	AppArmor string // Local: AppArmor profile without its mode; empty: unconfined

	Addr     netip.AddrPort // of its end of a TCP connection
	Listener string         // what it connected to, "host:port" or a socket's path
}

// program is what onion-grater matches: AppArmor's name for what runs, which is
// right for scripts too, else the executable.
func (id Identity) program() string {
	if id.AppArmor != "" {
		return id.AppArmor
	}
	return id.Exe
}

// WithUser is an identity for asking what a policy would do.
func WithUser(name string) Identity {
	id := Identity{Local: true, User: name, Addr: loopback}
	if u, err := user.Lookup(name); err == nil {
		if n, err := strconv.ParseUint(u.Uid, 10, 32); err == nil {
			id.UID = uint32(n)
		}
	}
	return id
}

// userName is the name of a uid, or its number.
func userName(uid uint32) string {
	n := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(n); err == nil {
		return u.Username
	}
	return n
}

// loopback stands for the address of a controller on a unix socket, since onion
// services that it creates are to point at this machine.
var loopback = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)
