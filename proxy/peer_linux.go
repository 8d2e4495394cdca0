package proxy

import (
	"net"

	"golang.org/x/sys/unix"
)

// peerOf asks the kernel who connected; nil if conn is no unix socket.
func peerOf(conn net.Conn) *Peer {
	uc, ok := conn.(*net.UnixConn)
	if !ok {
		return nil
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return nil
	}
	var cred *unix.Ucred
	if cerr := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); cerr != nil || err != nil {
		return nil
	}
	return &Peer{PID: cred.Pid, UID: cred.Uid, GID: cred.Gid}
}
