package gateway

import (
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// arrived waits until bytes can be read from c without waiting, and returns how
// many they are; it reads none. At the end of the stream it returns io.EOF.
//
// It lets a tunnel take from its pay stream's meter exactly what it is going to
// read, and lets an idle connection wait without a buffer.
func arrived(c *net.TCPConn) (int64, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var n int
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		n, failed = pending(int(fd))
		return failed != unix.EAGAIN // else the runtime's poller waits, deadlines included
	})
	if err == nil && failed != nil && failed != io.EOF {
		err = os.NewSyscallError("recvfrom", failed)
	}
	if err == nil {
		err = failed
	}
	return int64(n), err
}

func pending(fd int) (int, error) {
	if n, err := unix.IoctlGetInt(fd, unix.TIOCINQ); err != nil || n > 0 {
		return n, err
	}
	// Nothing there: the end, an error, or not yet. Only a read tells.
	for {
		var one [1]byte
		n, _, err := syscall.Recvfrom(fd, one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}
