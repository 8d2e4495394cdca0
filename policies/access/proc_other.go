//go:build !linux

package access

import (
	"errors"
	"net/netip"
)

// LocalUnix identifies a controller on a unix socket.
func LocalUnix(_ int32, uid uint32) Identity {
	return Identity{Local: true, UID: uid, User: userName(uid), Addr: loopback}
}

var errNoSocket = errors.New("processes behind sockets are found on Linux only")

// LocalTCP fails: only Linux tells who is at the other end.
func LocalTCP(its, ours netip.AddrPort) (Identity, error) { return Identity{}, errNoSocket }

type socket struct{ uid uint32 }

func socketOf(local, remote netip.AddrPort) (socket, error) { return socket{}, errNoSocket }
